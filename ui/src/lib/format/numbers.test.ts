import { describe, expect, test } from 'vitest';

import {
  bytes,
  count,
  goal,
  grouped,
  latency,
  part,
  perSecond,
  ratio,
  show,
  written,
  type Figure,
} from './numbers';

const table = (name: string, format: (value: number) => Figure, cases: [number, string][]) =>
  describe(name, () => {
    test.each(cases)('%d reads %s', (value, text) => {
      expect(written(format(value)).replace('\u00a0', ' ')).toBe(text);
    });
  });

table('a ratio is per cent and never rounds into certainty', ratio, [
  [0, '0 %'],
  [0.00001, '< 0.01 %'],
  [0.0002, '0.02 %'],
  [0.0612, '6.1 %'],
  [0.8824, '88.2 %'],
  [0.9, '90.0 %'],
  [0.9994, '99.9 %'],
  [0.99951, '99.95 %'],
  [0.999999, '> 99.99 %'],
  [1, '100 %'],
  [1.034, '103.4 %'],
]);

table('a rate keeps about three digits', perSecond, [
  [0, '0 /s'],
  [0.004, '< 0.01 /s'],
  [0.25, '0.25 /s'],
  [3.24, '3.2 /s'],
  [4, '4 /s'],
  [318.4, '318 /s'],
  [999.4, '999 /s'],
  [999.6, '1.00 k/s'],
  [1204, '1.20 k/s'],
  [48_210, '48.2 k/s'],
  [1_240_000, '1.24 M/s'],
]);

table('bytes go by 1024 under the names of Redis', bytes, [
  [0, '0 B'],
  [812, '812 B'],
  [1023.7, '1.00 kB'],
  [419_430, '410 kB'],
  [222_298_112, '212 MB'],
  [8 * 1024 ** 3, '8.00 GB'],
  [1.5 * 1024 ** 4, '1.50 TB'],
]);

table('a latency picks its unit', latency, [
  [0, '0 ms'],
  [0.0000042, '4.2 µs'],
  [0.000085, '85 µs'],
  [0.0009997, '1.00 ms'],
  [0.0039, '3.90 ms'],
  [0.0124, '12.4 ms'],
  [0.25, '250 ms'],
  [0.9996, '1.00 s'],
  [12.34, '12.3 s'],
]);

table('a count is whole up to 9,999', count, [
  [-0, '0'],
  [0, '0'],
  [61, '61'],
  [4120, '4,120'],
  [9999, '9,999'],
  [12_480, '12.5 k'],
  [612_345, '612 k'],
  [4_200_000, '4.20 M'],
]);

test('what is not known is a dash, not a zero', () => {
  expect(show('ratio', null)).toBe('–');
  expect(show('bytes', undefined)).toBe('–');
  expect(show('count', 0)).toBe('0');
});

test('a target drops a decimal that says nothing', () => {
  expect(goal(0.95)).toBe('95\u00a0%');
  expect(goal(0.995)).toBe('99.5\u00a0%');
});

test('parts of a whole are told in whole per cent', () => {
  expect(part(0.841)).toBe('84\u00a0%');
  expect(part(0.001)).toBe('< 1\u00a0%');
  expect(part(0)).toBe('0\u00a0%');
});

test('grouped numbers carry separators', () => {
  expect(grouped(719006)).toBe('719,006');
  expect(grouped(2.55)).toBe('2.6');
});
