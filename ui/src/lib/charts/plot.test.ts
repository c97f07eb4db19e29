import { expect, test } from 'vitest';

import { columnsOf, hasValues, rangeOf, spanOf, type ChartSpec } from './plot';

const hitRate: ChartSpec = {
  id: 'hit',
  title: 'Hit rate',
  unit: 'ratio',
  lines: [{ kind: 'hit_rate', name: 'hit rate', colour: '--accent' }],
};
const latency: ChartSpec = {
  id: 'latency',
  title: 'Latency',
  unit: 'seconds',
  lines: [
    { kind: 'latency_p99_seconds', name: 'p99', colour: '--accent' },
    { kind: 'latency_p50_seconds', name: 'p50', colour: '--t3' },
  ],
};
const point = (at: number, value: number | null, spread = 0) => ({
  at,
  value,
  low: value === null ? null : value - spread,
  high: value === null ? null : value + spread,
});

test('lines with different times share one time column, and what is missing is a gap', () => {
  const columns = columnsOf(latency, [
    { kind: 'latency_p99_seconds', points: [point(1000, 0.002), point(3000, 0.004)] },
    { kind: 'latency_p50_seconds', points: [point(2000, 0.001), point(3000, null)] },
  ]);
  expect(columns.slice(0, 3)).toEqual([
    [1, 2, 3],
    [0.002, null, 0.004],
    [null, 0.001, null],
  ]);
});

test('the interval of the first line stands in the last two columns', () => {
  const columns = columnsOf(hitRate, [
    { kind: 'hit_rate', points: [point(1000, 0.5, 0.25), point(2000, null)] },
  ]);
  expect(columns.slice(2)).toEqual([
    [0.25, null],
    [0.75, null],
  ]);
});

test('a history of gaps has no values', () => {
  const columns = columnsOf(hitRate, [{ kind: 'hit_rate', points: [point(1000, null)] }]);
  expect(hasValues(columns, 1)).toBe(false);
  expect(hasValues(columnsOf(hitRate, [{ kind: 'hit_rate', points: [point(1000, 0)] }]), 1)).toBe(true);
});

test('a hit rate hangs from 100 % and keeps its target in view', () => {
  const columns = [[1], [0.9], [0.88], [0.92]];
  const [low, high] = rangeOf({ ...hitRate, target: { value: 0.6, name: 'target' } }, columns);
  expect(high).toBe(1);
  expect(low).toBeLessThan(0.6);
});

test('everything else stands on zero, also when it is zero throughout', () => {
  expect(rangeOf(latency, [[1], [0], [0]])).toEqual([0, 1]);
  expect(rangeOf(latency, [[1], [4], [2]])[0]).toBe(0);
});

test('a chart goes as far back as it has values, within its span and not below two minutes', () => {
  const at = [100, 400, 700, 1000];
  expect(spanOf([at, [1, 1, 1, 1]], 1, 900, 1000)).toEqual([100, 1000]);
  expect(spanOf([at, [null, null, 1, 1]], 1, 900, 1000)).toEqual([700, 1000]);
  expect(spanOf([at, [null, null, null, 1]], 1, 900, 1000)).toEqual([880, 1000]);
  expect(spanOf([at, [null, null, null, null]], 1, 900, 1000)).toEqual([100, 1000]);
  expect(spanOf([at, [null, 1, 1, 1]], 1, 300, 1000)).toEqual([700, 1000]);
});
