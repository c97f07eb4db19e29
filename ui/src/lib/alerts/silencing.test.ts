import { expect, test } from 'vitest';

import type { Matcher } from '../bindings/Matcher';
import { alertView } from './example';
import { covered, endOf, fits, forField, matcherInWords, matchersOf, written } from './silencing';

const matcher = (label: string, matching: Matcher['matching'], value: string): Matcher => ({
  label,
  matching,
  value,
});

test('the matchers of an alert fit it, and no other namespace', () => {
  const view = alertView();
  expect(matchersOf(view).every((one) => fits(one, view))).toBe(true);
  const other = alertView({}, { labels: { namespace: 'users' } });
  expect(matchersOf(view).every((one) => fits(one, other))).toBe(false);
});

test.each<[Matcher, boolean]>([
  [matcher('rule', 'is', 'LowHitRate'), true],
  [matcher('alertname', 'is', 'LowHitRate'), true],
  [matcher('severity', 'is_not', 'critical'), false],
  [matcher('deployment', 'is', 'a'), true],
  [matcher('deployment', 'is', 'prod-eu-1'), true],
  [matcher('deployment', 'is_not', 'prod-eu-1'), false],
  [matcher('namespace', 'like', 'sess*'), true],
  [matcher('namespace', 'like', '*'), true],
  [matcher('namespace', 'like', 's.ssions'), false],
  [matcher('tenant', 'is', ''), false],
  [matcher('tenant', 'is_not', 'acme'), true],
])('%o fits: %s', (one, expected) => {
  expect(fits(one, alertView())).toBe(expected);
});

test('a silence without matchers covers nothing, and none covers what is over', () => {
  const views = [alertView(), alertView({}, { state: 'pending' }), alertView({}, { state: 'resolved' })];
  expect(covered([], views)).toBe(0);
  expect(covered([matcher('rule', 'is', 'LowHitRate')], views)).toBe(2);
});

test('an end lies in the future or is none', () => {
  const now = new Date(2026, 10, 27, 14, 0).getTime();
  expect(endOf('1h', '', now)).toBe(now + 3_600_000);
  expect(endOf('morning', '', now)).toBe(new Date(2026, 10, 28, 9, 0).getTime());
  const early = new Date(2026, 10, 27, 3, 0).getTime();
  expect(endOf('morning', '', early)).toBe(new Date(2026, 10, 27, 9, 0).getTime());
  expect(endOf('at', '2026-11-27T13:00', now)).toBe(null);
  expect(endOf('at', 'soon', now)).toBe(null);
  expect(endOf('at', forField(now + 60_000), now)).toBe(now + 60_000);
});

test('a matcher reads as a sentence', () => {
  expect(matcherInWords(matcher('namespace', 'is_not', 'users'))).toBe('namespace is not users');
});

test('of a form those matchers count that have a label and a value', () => {
  const form = [
    matcher(' rule ', 'is', ' LowHitRate'),
    matcher('', 'is', 'x'),
    matcher('tenant', 'like', ' '),
  ];
  expect(written(form)).toEqual([matcher('rule', 'is', 'LowHitRate')]);
});
