import { expect, test } from 'vitest';

import type { PreviewedAction } from '../bindings/PreviewedAction';
import type { Reading } from '../bindings/Reading';
import { boxesOf, ttlInWords, typesInWords } from './figures';

const reading = (value: number | null, more: Partial<Reading> = {}): Reading => ({
  value,
  certainty: value === null ? 'unavailable' : 'exact',
  low: value,
  high: value,
  source: 'commands',
  window_seconds: 60,
  ...more,
});
const action = (more: Partial<PreviewedAction['preview']>): PreviewedAction =>
  ({
    preview: {
      plan: { deployment: 'b', title: '', steps: [], how: {} },
      keys: 12_480,
      all_keys: 4_200_000,
      bytes: reading(61e6, { certainty: 'estimated', low: 60e6, high: 62e6 }),
      reads_per_second: reading(310),
      predicted_extra_misses_per_second: reading(292),
      types: { hash: 578, string: 11_902 },
      types_of: 12_480,
      ...more,
    },
    limits: { keys_ratio: 0.05, reads_ratio: 0.05, always_allowed_keys: 100 },
  }) as PreviewedAction;

const plain = (text: string | undefined) => text?.replaceAll('\u00a0', ' ');

test('each figure stands beside its limit', () => {
  const [keys, memory, reads, misses] = boxesOf(action({}), { lookups: 48_200, misses: 6_500 });
  expect(plain(keys?.under)).toBe('0.3 % of 4.20 M');
  expect(plain(keys?.explained)).toMatch(/limit is 5 %/);
  expect(plain(memory?.under)).toBe('57.2 MB to 59.1 MB, sampled');
  expect(plain(reads?.under)).toBe('0.6 % of lookups');
  expect(plain(misses?.under)).toBe('+4.5 % on the misses now');
  expect(misses?.tone).toBe('warn');
});

test('few keys are below the limit whatever their share', () => {
  const [keys] = boxesOf(action({ keys: 7, all_keys: 10 }), { lookups: null, misses: null });
  expect(keys?.explained).toMatch(/Up to 100 keys/);
});

test('what is unknown says why, and is no zero', () => {
  const unknown = reading(null, { reason: 'The command sample is off.' });
  const boxes = boxesOf(action({ reads_per_second: unknown, predicted_extra_misses_per_second: unknown }), {
    lookups: 1,
    misses: 1,
  });
  for (const box of boxes.slice(2))
    expect(box).toMatchObject({ figure: 'unknown', under: 'The command sample is off.', tone: 'absent' });
});

test('types stand by number, and a scaled count says so', () => {
  expect(typesInWords(action({}).preview)).toBe('string 11,902, hash 578');
  expect(typesInWords(action({ types_of: 1_000 }).preview)).toMatch(/scaled from 1,000 keys/);
});

test('keys that never expire are counted apart', () => {
  const spread = {
    without: 3,
    shortest_seconds: 3,
    median_seconds: 840,
    longest_seconds: 1800,
    histogram: [],
  };
  expect(plain(ttlInWords(spread))).toBe('3 s to 30 min, median 14 min; 3 without');
  expect(plain(ttlInWords({ ...spread, shortest_seconds: null, longest_seconds: null }))).toMatch(
    /no key expires/,
  );
});
