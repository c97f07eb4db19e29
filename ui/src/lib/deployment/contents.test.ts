import { expect, test } from 'vitest';

import type { BigKey } from '../bindings/BigKey';
import type { NamespaceContents } from '../bindings/NamespaceContents';
import { about, basis, idle, kinds, timeLeft, weight } from './contents';

const contents: NamespaceContents = {
  scanned_at: 0,
  met: 12_480,
  weighed: 1_560,
  asked: 1_560,
  types: [
    { name: 'string', keys: 1_200 },
    { name: 'hash', keys: 4 },
  ],
  encodings: [],
  idle_seconds: { p10: 4, p50: 30, p90: 1_800, p99: 7_200 },
  ttl_seconds: null,
  biggest: [],
};
const big: BigKey = {
  key: 'cart:1',
  database: 1,
  bytes: 2048,
  estimated: false,
  kind: 'hash',
  ttl_seconds: 2_700,
  expires: true,
};

test('kinds of keys are told with their counts', () => {
  expect(kinds(contents.types)).toBe('string\u00a01,200, hash\u00a04');
  expect(kinds([])).toBe('no key was asked');
});

test('idle times are told by quantiles', () => {
  expect(idle(contents)).toBe('p50\u00a030\u00a0s, p90\u00a030\u00a0min, p99\u00a02\u00a0h');
});

test('where the server does not tell idle times, it is not taken for no key asked', () => {
  expect(idle({ ...contents, idle_seconds: null })).toContain('LFU');
  expect(idle({ ...contents, idle_seconds: null, types: [] })).toBe('no key was asked');
});

test.each([
  ['keys without expiry', 1_560, 'none of 1,560 keys asked expires'],
  ['keys that were not asked', 0, 'no key was asked'],
])('time left of %s', (_, asked, text) => {
  expect(timeLeft({ ...contents, asked })).toBe(text);
});

test('the sample is named beside what was met and weighed', () => {
  expect(basis(contents)).toBe(
    'Of 12,480 keys met, 1,560 were weighed; types, encodings and idle times are of a sample of 1,204.',
  );
});

test('an estimated weight is marked', () => {
  expect(weight(big)).toBe('2.00\u00a0kB');
  expect(weight({ ...big, estimated: true })).toBe('≈\u00a02.00\u00a0kB');
});

test.each([
  ['type and time left', {}, false, 'hash, 45\u00a0min left'],
  ['its database among several', {}, true, 'db 1, hash, 45\u00a0min left'],
  ['that it never expires', { ttl_seconds: null, expires: false }, false, 'hash, no expiry'],
  ['nothing of an expiry that was not asked', { ttl_seconds: null, expires: null }, false, 'hash'],
  ['nothing that is not known', { kind: null, ttl_seconds: null, expires: null }, false, ''],
] as const)('of a big key is told %s', (_, some, several, text) => {
  expect(about({ ...big, ...some }, several)).toBe(text);
});
