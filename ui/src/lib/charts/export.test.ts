import { expect, test } from 'vitest';

import { csvOf, jsonOf } from './export';
import type { ChartSpec } from './plot';

const spec: ChartSpec = {
  id: 'hit',
  title: 'Hit rate',
  unit: 'ratio',
  lines: [{ kind: 'hit_rate', name: 'hit rate', colour: '--accent' }],
  target: { value: 0.95, name: 'target' },
};

test('a gap is an empty cell, and an interval two more columns', () => {
  expect(
    csvOf(spec, [
      [0, 60],
      [0.5, null],
      [0.4, null],
      [0.6, null],
    ]),
  ).toBe('time,hit_rate,low,high\r\n1970-01-01T00:00:00.000Z,0.5,0.4,0.6\r\n1970-01-01T00:01:00.000Z,,,\r\n');
});

test('counted figures have no interval', () => {
  expect(csvOf(spec, [[0], [0.5], [0.5], [0.5]]).split('\r\n')[0]).toBe('time,hit_rate');
});

test('a name with a comma is quoted', () => {
  const odd = { ...spec, lines: [{ kind: 'a,"b"', name: '', colour: '' }] };
  expect(csvOf(odd, [[0], [1], [1], [1]]).split('\r\n')[0]).toBe('time,"a,""b"""');
});

test('JSON says what it is and in which unit, and keeps gaps', () => {
  expect(JSON.parse(jsonOf(spec, [[0], [null], [null], [null]]))).toEqual({
    title: 'Hit rate',
    unit: 'ratio',
    target: 0.95,
    points: [{ time: '1970-01-01T00:00:00.000Z', hit_rate: null }],
  });
});
