import { expect, test } from 'vitest';

import { extra } from './misses';

const point = (at: number, value: number | null) => ({ at, value, low: null, high: null });

test('only what is beyond the mean before the run is extra', () => {
  const seen = extra([point(1, 10), point(2, 20), point(3, 115), point(4, 3), point(5, null)], 2);
  expect(seen.map(({ value }) => value)).toEqual([0, 5, 100, 0, null]);
});

test('without a time before the run nothing is said', () => {
  expect(extra([point(3, 5)], 2)).toEqual([]);
  expect(extra([point(1, null), point(3, 5)], 2)).toEqual([]);
});
