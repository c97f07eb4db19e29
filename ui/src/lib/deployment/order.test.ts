import { expect, test } from 'vitest';

import type { RowPage } from '../bindings/RowPage';
import { asSorted, held } from './order';

const page = (names: string[], lookups = 1): RowPage => ({
  at: 0,
  matching: 100,
  total: 100,
  columns: ['hit_rate', 'lookups_per_second'],
  reasons: [],
  rows: names.map((namespace) => ({
    namespace,
    title: namespace,
    origin: 'documented',
    documented_ttl_seconds: null,
    hit_rate_target: null,
    below_target: false,
    cells: [{ certainty: 'unavailable' }, { certainty: 'exact', value: lookups }],
    miss_causes: { expired: 0, evicted: 0, deleted: 0, flushed: 0, cold: 0, unknown: 0 },
    alerts: 0,
    worst_alert: null,
    spark: [],
  })),
});
const names = (slots: { row: { namespace: string } }[]) => slots.map(({ row }) => row.namespace).join('');

test('cells are found by the kind of their column', () => {
  expect(asSorted(page(['a'], 7))[0]?.cells.lookups_per_second?.value).toBe(7);
});

test('rows that were shown keep their place and get new figures', () => {
  const before = { offset: 0, slots: asSorted(page(['a', 'b', 'c'])) };
  const { slots, moved } = held(page(['c', 'a', 'b'], 9), 0, before);
  expect(names(slots)).toBe('abc');
  expect(moved).toBe(true);
  expect(slots.every((slot) => !slot.stale && slot.cells.lookups_per_second?.value === 9)).toBe(true);
});

test('a row that left keeps its last figures and is marked stale', () => {
  const before = { offset: 0, slots: asSorted(page(['a', 'b', 'c'], 1)) };
  const { slots } = held(page(['x', 'a', 'c'], 9), 0, before);
  expect(names(slots)).toBe('abc');
  expect(slots.map(({ stale }) => stale)).toEqual([false, true, false]);
  expect(slots[1]?.cells.lookups_per_second?.value).toBe(1);
});

test('scrolling while the order is held fills the new places without showing a row twice', () => {
  const before = { offset: 0, slots: asSorted(page(['a', 'b', 'c', 'd'])) };
  // Scrolled down by two; meanwhile the core has moved "b" down, into the new places.
  const { slots } = held(page(['d', 'e', 'b', 'f']), 2, before);
  expect(names(slots)).toBe('cdeb');
  expect(new Set(slots.map(({ row }) => row.namespace)).size).toBe(4);
});

test('an order that agrees with the core is not called held', () => {
  const before = { offset: 0, slots: asSorted(page(['a', 'b'])) };
  expect(held(page(['a', 'b']), 0, before).moved).toBe(false);
});
