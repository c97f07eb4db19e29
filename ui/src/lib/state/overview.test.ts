import { expect, test } from 'vitest';

import type { OverviewFrame } from '../bindings/OverviewFrame';
import { isLast, withPart } from './overview';

const part = (ids: string, offset: number, total: number, lookups: number): OverviewFrame => ({
  at: lookups,
  window: '1m',
  offset,
  total,
  rows: [...ids].map((id) => ({
    id,
    name: id,
    environment: 'production',
    state: 'live',
    detail: '',
    hit_rate: null,
    hit_rate_target: null,
    latency_p99_seconds: null,
    memory_ratio: null,
    evictions_per_second: null,
    lookups_per_second: lookups,
    commands_per_second: null,
    findings: 0,
    alerts: { critical: 0, warning: 0, info: 0, pending: 0, quiet: 0, failing: 0 },
  })),
});
const told = (frame: OverviewFrame) =>
  frame.rows.map((row) => `${row.id}${row.lookups_per_second}`).join(' ');

test('parts add up to the whole', () => {
  const first = withPart(null, part('ab', 0, 3, 1));
  expect(told(withPart(first, part('c', 2, 3, 1)))).toBe('a1 b1 c1');
});

test('a new part leaves the rows of the others as they were', () => {
  const whole = withPart(withPart(null, part('ab', 0, 3, 1)), part('c', 2, 3, 1));
  expect(told(withPart(whole, part('ab', 0, 3, 2)))).toBe('a2 b2 c1');
});

test('rows that are gone do not stay, and none stands twice', () => {
  const whole = withPart(null, part('abcd', 0, 4, 1));
  expect(told(withPart(whole, part('bd', 0, 2, 2)))).toBe('b2 d2');
  expect(told(withPart(whole, part('bc', 0, 3, 2)))).toBe('b2 c2');
});

test('a row that says the same as before is the same object', () => {
  const before = withPart(null, part('ab', 0, 2, 1));
  const [a, b] = before.rows;
  const { rows: again, ...rest } = part('ab', 0, 2, 1);
  const changed = { ...rest, rows: again.map((row) => (row.id === 'b' ? { ...row, findings: 3 } : row)) };
  const after = withPart(before, changed);
  expect(after.rows[0]).toBe(a);
  expect(after.rows[1]).not.toBe(b);
});

test('the last part is told from the others', () => {
  expect([part('ab', 0, 3, 1), part('c', 2, 3, 1), part('', 0, 0, 1)].map(isLast)).toEqual([
    false,
    true,
    true,
  ]);
});
