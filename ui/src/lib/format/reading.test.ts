import { expect, test } from 'vitest';

import type { MissCauses } from '../bindings/MissCauses';
import type { Reading } from '../bindings/Reading';
import { causesInWords, explained, interval, isNoTraffic, mostly, nines, plusMinus, shares } from './reading';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');
const causes = (some: Partial<MissCauses>): MissCauses => ({
  expired: 0,
  evicted: 0,
  deleted: 0,
  flushed: 0,
  cold: 0,
  unknown: 0,
  ...some,
});
const estimated: Reading = {
  value: 0.713,
  certainty: 'estimated',
  low: 0.706,
  high: 0.72,
  source: 'keyspace events and a sample',
  window_seconds: 60,
};

test('an estimate shows its interval, an exact figure none', () => {
  expect(plusMinus('ratio', estimated)).toBe('±0.7');
  expect(plain(interval('ratio', estimated))).toBe('70.6 % to 72.0 %');
  expect(plusMinus('ratio', { ...estimated, certainty: 'exact' })).toBe('');
  expect(interval('ratio', { ...estimated, certainty: 'exact' })).toBe('');
});

test('an interval narrower than its digits is not shown as nothing', () => {
  expect(plusMinus('ratio', { ...estimated, low: 0.71299, high: 0.71301 })).toBe('±<0.1');
});

test('half an interval is told in the unit of the value, with its digits', () => {
  expect(plusMinus('bytes', { ...estimated, value: 2048, low: 1024, high: 3072 })).toBe('±1.00');
  expect(plusMinus('seconds', { ...estimated, value: 0.0032, low: 0.0029, high: 0.0035 })).toBe('±0.30');
  expect(plusMinus('count', { ...estimated, value: 4120, low: 4000, high: 4240 })).toBe('±120');
  expect(plusMinus('bytes', { ...estimated, value: 2048, low: 2047.9, high: 2048.1 })).toBe('±<0.01');
});

test('a tooltip names value, certainty, interval, source and window', () => {
  const text = plain(explained('ratio', estimated));
  for (const part of ['71.3 %', 'estimated', '70.6 % to 72.0 %', 'keyspace events and a sample', '1 min']) {
    expect(text).toContain(part);
  }
});

test('an unavailable figure says why', () => {
  const reading: Reading = {
    value: null,
    certainty: 'unavailable',
    low: null,
    high: null,
    source: '',
    window_seconds: 0,
    reason: 'Events are switched off.',
  };
  expect(explained('ratio', reading)).toBe('Events are switched off.');
});

test('no traffic is told apart from not knowing', () => {
  const none = { certainty: 'unavailable' as const };
  expect(isNoTraffic(none, { value: 0, certainty: 'exact' })).toBe(true);
  expect(isNoTraffic(none, none)).toBe(false);
  expect(isNoTraffic({ value: 0.5, certainty: 'exact' }, { value: 0, certainty: 'exact' })).toBe(false);
});

test('shares of the causes add up to one, and nothing missed has none', () => {
  const parts = shares(causes({ evicted: 84, expired: 9, cold: 5, unknown: 2 }));
  expect(parts.reduce((sum, part) => sum + part.share, 0)).toBeCloseTo(1);
  expect(parts.map((part) => part.cause)).toEqual(['evicted', 'expired', 'cold', 'unknown']);
  expect(shares(causes({}))).toEqual([]);
});

test('causes in words go largest first', () => {
  expect(plain(causesInWords(causes({ evicted: 1, cold: 3 })))).toBe('cold 75 %, evicted 25 %');
  expect(mostly(causes({ evicted: 1, cold: 3 }))).toBe('mostly cold');
  expect(mostly(causes({ evicted: 1, cold: 1 }))).toBe('');
});

test.each([
  [0, 0],
  [0.9, 1 / 3],
  [0.99, 2 / 3],
  [0.999, 1],
  [1, 1],
])('%d stands at %d on the scale of nines', (rate, place) => {
  expect(nines(rate)).toBeCloseTo(place);
});
