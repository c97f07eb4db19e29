import { expect, test } from 'vitest';

import type { Check } from '../bindings/Check';
import type { HowToRun } from '../bindings/HowToRun';
import type { PreviewedAction } from '../bindings/PreviewedAction';
import { obstacles, overrideOf, sortedChecks, type Given, type Obstacle } from './guards';

const how: HowToRun = {
  undo: true,
  throttle: true,
  watch_between_waves_ms: 10_000,
  protected_too: false,
  beyond_limits: false,
};
const check = (code: string, verdict: Check['verdict']): Check => ({
  code,
  verdict,
  sentence: '',
  remedy: '',
});

const previewed = (
  more: { checks?: Check[]; keys?: number; expires?: number | null } = {},
): PreviewedAction => ({
  preview: {
    plan: {
      deployment: 'a',
      title: 'Delete a',
      steps: [{ action: 'remove', scope: { scope: 'pattern', pattern: 'a*', database: null } }],
      how,
    },
    keys: more.keys ?? 5,
    steps: [{ what: '', keys: more.keys ?? 5, done_here: true }],
    checks: more.checks ?? [],
  } as unknown as PreviewedAction['preview'],
  stop_rules: [],
  limits: { keys_ratio: 0.05, reads_ratio: 0.05, always_allowed_keys: 100 },
  approval: more.expires === null ? null : { token: 't', expires_at: more.expires ?? 2_000 },
  wants: { environment: 'production', armed: true, typed_name: 'prod-us-1', reason: true },
});
const ready: Given = { typedName: 'prod-us-1', reason: 'INC-2291', armedUntil: 2_000, how, now: 1_000 };

test('nothing is in the way once name, arming and reason are given', () => {
  expect(obstacles(previewed(), ready)).toEqual([]);
});

test.each<[string, PreviewedAction, Partial<Given>, Obstacle[]]>([
  ['another name', previewed(), { typedName: 'Prod-us-1' }, ['name']],
  ['a lapsed arming', previewed(), { armedUntil: 1_000 }, ['locked']],
  ['no arming', previewed(), { armedUntil: null }, ['locked']],
  ['a reason that says nothing', previewed(), { reason: ' x  ' }, ['reason']],
  ['a lapsed approval', previewed({ expires: 1_000 }), {}, ['expired']],
  ['no approval', previewed({ expires: null }), {}, ['refused']],
  ['a check that refuses', previewed({ checks: [check('lock', 'refused')] }), {}, ['refused']],
  ['a remark', previewed({ checks: [check('undo', 'remark')] }), {}, []],
  ['no key', previewed({ keys: 0 }), {}, ['nothing']],
  ['another way to run', previewed(), { how: { ...how, undo: false } }, ['changed']],
])('%s is in the way as far as it is', (_, action, given, found) => {
  expect(obstacles(action, { ...ready, ...given })).toEqual(found);
});

test('a development deployment wants nothing besides', () => {
  const free = {
    ...previewed(),
    wants: { environment: 'development', armed: false, typed_name: null, reason: false } as const,
  };
  expect(obstacles(free, { ...ready, typedName: '', reason: '', armedUntil: null })).toEqual([]);
});

test('what refuses stands first', () => {
  const sorted = sortedChecks([
    check('a', 'passed'),
    check('b', 'remark'),
    check('c', 'refused'),
    check('d', 'passed'),
  ]);
  expect(sorted.map(({ code }) => code)).toEqual(['c', 'b', 'a', 'd']);
});

test('only what an override lifts offers one', () => {
  expect(overrideOf(check('protected', 'refused'))).toBe('protected_too');
  expect(overrideOf(check('protected', 'passed'))).toBe(null);
  expect(overrideOf(check('share-of-reads', 'refused'))).toBe('beyond_limits');
  expect(overrideOf(check('lock', 'refused'))).toBe(null);
});
