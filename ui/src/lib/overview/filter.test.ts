import { expect, test } from 'vitest';

import type { Environment } from '../bindings/Environment';
import { CONNECTION } from '../state/status';
import { answers, countsOf, type Findable } from './filter';

const row = (
  name: string,
  group: string | null,
  environment: Environment | null,
  state: keyof typeof CONNECTION,
  critical = 0,
): Findable => ({
  deployment: { name, group, environment },
  status: CONNECTION[state],
  alerts: { critical, warning: 0, info: 0, pending: 0, quiet: 0, failing: 0 },
});

test('every word that was typed must be met, by a name, a group, an environment, a state or an alert', () => {
  const shop = row('checkout-eu', 'Shop & payments', null, 'failed', 1);
  const found = ['', ' ', 'check', 'EU shop', 'prod', 'fail', 'firing eu', 'payments prod failed'];
  expect(found.filter((typed) => !answers(typed, shop))).toEqual([]);
  const missed = ['live', 'eu us', 'staging', 'checkout firing live'];
  expect(missed.filter((typed) => answers(typed, shop))).toEqual([]);
  expect(answers('firing', row('calm', null, 'staging', 'live'))).toBe(false);
});

test('states are counted, the worst first', () => {
  const rows = [
    row('a', null, null, 'live'),
    row('b', null, null, 'failed'),
    row('c', null, null, 'live'),
    row('d', null, null, 'partial'),
  ];
  expect(countsOf(rows).map(({ status, count }) => `${count} ${status.word}`)).toEqual([
    '1 failed',
    '1 partial',
    '2 live',
  ]);
});
