import { expect, test } from 'vitest';

import { domainOf, heightOf, pathOf } from './spark';

const unit = { low: 0, high: 1 };

test('a line goes through its points, left to right and top down', () => {
  expect(pathOf([0, 1, 0.5], unit, 20, 10)).toBe('M0 10L10 0L20 5');
});

test('gaps are left as gaps, and a lonely point is still seen', () => {
  expect(pathOf([0, 1, null, 1, 0], unit, 40, 10)).toBe('M0 10L10 0M30 0L40 10');
  expect(pathOf([null, 1, null], unit, 20, 10)).toBe('M9 0h2');
  expect(pathOf([null, null], unit, 20, 10)).toBe('');
  expect(pathOf([], unit, 20, 10)).toBe('');
});

test('the domain holds points and target', () => {
  const { low, high } = domainOf([0.7, 0.9], 0.95, 0);
  expect(low).toBeLessThan(0.7);
  expect(high).toBeGreaterThan(0.95);
});

test('a flat line keeps the least span around itself', () => {
  const { low, high } = domainOf([0.5, 0.5], null, 0.1);
  expect(high - low).toBeCloseTo(0.1);
  expect(heightOf(0.5, { low, high }, 20)).toBe(10);
});

test('what leaves the domain stays on its edge', () => {
  expect(heightOf(2, unit, 10)).toBe(0);
  expect(heightOf(-1, unit, 10)).toBe(10);
});
