import { expect, test } from 'vitest';

import { databases, fewest, rateInterval } from './keys';

const numbered = (count: number) => Array.from({ length: count }, (_, place) => place);

test.each([
  [0, 0],
  [5, 5],
  [6, 6],
  [7, 5],
  [40, 5],
])('of %i keys %i are shown', (count, shown) => {
  expect(fewest(numbered(count))).toEqual(numbered(shown));
});

test.each([
  ['both ends', 1.1, 1.4, '1.1 to 1.4\u00a0/s'],
  ['ends of another size', 900, 1200, '900 to 1.20\u00a0k/s'],
  ['an exact count has none', 3, 3, ''],
])('the interval of a rate: %s', (_, low, high, text) => {
  expect(rateInterval({ low, high })).toBe(text);
});

test('keys of several databases are told apart', () => {
  const key = (database: number) => ({ database, key: 'cart:1', per_second: 1, low: 1, high: 1 });
  expect(databases([key(0), key(0)])).toBe(1);
  expect(databases([key(0), key(3)])).toBe(2);
});
