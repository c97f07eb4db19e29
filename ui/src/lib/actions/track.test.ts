import { expect, test } from 'vitest';

import type { RunState } from '../bindings/RunState';
import { chartSeconds, haltLine, withPoint } from './track';

const state = (at: number, p99: number | null) => ({ at, p99_seconds: p99 }) as RunState;

test('a state that was seen already adds no point', () => {
  const once = withPoint([], state(1_000, 0.001));
  expect(withPoint(once, state(1_000, 0.001))).toBe(once);
});

test('a long silence is a gap, not a line', () => {
  const points = withPoint(withPoint([], state(1_000, 0.001)), state(60_000, 0.002));
  expect(points.map(({ value }) => value)).toEqual([0.001, null, 0.002]);
});

test('an hour is kept', () => {
  let points = withPoint([], state(1, 0));
  for (let at = 2; at <= 3_700; at += 1) points = withPoint(points, state(at, at));
  expect(points).toHaveLength(3_600);
  expect(points.at(-1)?.value).toBe(3_700);
});

test('the chart carries the line at which the run halts, or what was before', () => {
  const rule = {
    name: 'p99 of round trips',
    sentence: '',
    value: null,
    limit: 0.0017,
    breached: false,
    known: true,
  };
  expect(haltLine({ stop_rules: [rule], baseline_p99_seconds: 0.001 })?.value).toBe(0.0017);
  expect(haltLine({ stop_rules: [{ ...rule, limit: null }], baseline_p99_seconds: 0.001 })?.value).toBe(
    0.001,
  );
  expect(haltLine({ stop_rules: [], baseline_p99_seconds: null })).toBe(null);
});

test('a chart holds the whole run, up to an hour', () => {
  expect(chartSeconds(0, 12_000)).toBe(30);
  expect(chartSeconds(0, 121_000)).toBe(300);
  expect(chartSeconds(0, 90_000_000)).toBe(3_600);
});
