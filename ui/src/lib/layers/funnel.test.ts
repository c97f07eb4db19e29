import { expect, test } from 'vitest';

import type { LayerView } from '../bindings/LayerView';
import type { PartSnapshot } from '../bindings/PartSnapshot';
import type { Reading } from '../bindings/Reading';
import { mostAsked, stages } from './funnel';

const reading = (value: number | null, reason?: string): Reading => ({
  value,
  certainty: value === null ? 'unavailable' : 'exact',
  low: value,
  high: value,
  source: 'x',
  window_seconds: 60,
  ...(reason === undefined ? {} : { reason }),
});
const layer = (name: string, more: Partial<LayerView> = {}): LayerView => ({
  name,
  title: name.toUpperCase(),
  is_redis: false,
  technology: '',
  holds: [],
  ttls: [],
  max_items: null,
  metric_label: null,
  planned: false,
  note: '',
  ...more,
});
const part = (name: string, readings: PartSnapshot['readings']): PartSnapshot => ({
  name,
  title: '',
  readings,
});
const counted = (hits: number, lookups: number) => ({
  hit_rate: reading(hits),
  lookups_per_second: reading(lookups),
});

test('each layer has its own figures, and what goes on is what it misses', () => {
  const [l1] = stages([layer('l1')], [part('l1', counted(0.75, 400))], {});
  expect(l1?.flow).toEqual({ hitRate: 0.75, lookups: 400, goesOn: 100, source: 'x' });
});

test('Redis is known from its own counters where the application does not count it', () => {
  const own = counted(0.9, 100);
  const redis = layer('redis', { is_redis: true });
  expect(stages([redis], [], own)[0]?.flow?.lookups).toBe(100);
  expect(stages([redis], [part('redis', counted(0.5, 7))], own)[0]?.flow?.lookups).toBe(7);
  expect(stages([layer('cdn')], [], own)[0]?.flow).toBeNull();
});

test('what is not known says why', () => {
  const why = (all: ReturnType<typeof stages>) => all[0]?.why;
  expect(why(stages([layer('cdn')], [part('cdn', { hit_rate: reading(null, 'no label') })], {}))).toBe(
    'Not measured: no label.',
  );
  expect(why(stages([layer('edge', { planned: true })], [], {}))).toBe('Not built yet, by the document.');
  expect(why(stages([layer('cdn')], [], {}))).toBe('Not measured: nothing counts it.');
});

test('without traffic there are figures and no hit rate', () => {
  const [idle] = stages(
    [layer('l1')],
    [part('l1', { hit_rate: reading(null), lookups_per_second: reading(0) })],
    {},
  );
  expect(idle?.flow).toEqual({ hitRate: null, lookups: 0, goesOn: null, source: 'x' });
});

test('layers that nobody documented stand at the end, and count for the width of the bars', () => {
  const all = stages([layer('l2')], [part('l1', counted(0.5, 900)), part('l2', counted(0.5, 450))], {});
  expect(all.map(({ name }) => name)).toEqual(['l2', 'l1']);
  expect(mostAsked(all)).toBe(900);
  expect(mostAsked(stages([layer('l2')], [], {}))).toBe(0);
});
