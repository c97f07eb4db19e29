import { expect, test } from 'vitest';

import type { CausePoint } from '../bindings/CausePoint';
import type { MissCauses } from '../bindings/MissCauses';
import { columnsOf, rangeOf, stackOf } from '../charts/plot';
import { causeChart, causeSeries } from './causes';

const none: MissCauses = { expired: 0, evicted: 0, deleted: 0, flushed: 0, cold: 0, unknown: 0 };
const points: CausePoint[] = [
  { at: 5000, causes: { ...none, evicted: 10, expired: 20 } },
  { at: 10_000, causes: null },
  { at: 15_000, causes: { ...none, expired: 5 } },
];

test('only causes that occur have a layer, in the order of the legend', () => {
  expect(causeChart(points).lines.map(({ name }) => name)).toEqual(['evicted', 'expired']);
  expect(causeChart([{ at: 0, causes: none }]).lines.length).toBe(1);
});

test('counts become rates over the interval of a point, and a gap stays a gap', () => {
  const evicted = causeSeries(points, 15).find(({ kind }) => kind === 'evicted');
  expect(evicted?.points.map(({ value }) => value)).toEqual([2, null, 0]);
});

test('layers stand on each other, so that the top is the sum, also for the axis', () => {
  const chart = causeChart(points);
  const stacked = stackOf(columnsOf(chart, causeSeries(points, 15)), chart.lines.length);
  expect(stacked.slice(0, 3)).toEqual([
    [5, 10, 15],
    [2, null, 0],
    [6, null, 1],
  ]);
  expect(rangeOf(chart, stacked)[1]).toBeGreaterThan(6);
});
