import { expect, test } from 'vitest';

import { MOST_ROWS, ROW_HEIGHT, scrollFor, visibleSlice } from './slice';

test.each([
  ['at the top', 0, 640, 0, 22],
  ['in the middle', 3200, 640, 98, 24],
  ['between two rows', 3216, 640, 98, 25],
  ['without a height yet', 0, 0, 0, 3],
])('%s', (_, top, height, offset, limit) => {
  expect(visibleSlice(top, height)).toEqual({ offset, limit });
});

test('a huge window still asks for a bounded number of rows', () => {
  expect(visibleSlice(0, 10_000).limit).toBe(MOST_ROWS);
});

test('scrolling brings a row into view and no further', () => {
  expect(scrollFor(0, 100, 320)).toBe(0);
  expect(scrollFor(5, 0, 320)).toBe(0);
  expect(scrollFor(10, 0, 320)).toBe(11 * ROW_HEIGHT - 320);
});
