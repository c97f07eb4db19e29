import { expect, test } from 'vitest';

import type { PlaybookView } from '../bindings/PlaybookView';
import { draftOf, keyLines, missing, scopeLine, scopeOf, type ScopeForm } from './scope';

const form = (more: Partial<ScopeForm>): ScopeForm => ({ ...scopeOf({}), ...more });
const playbook = (parameters: string[]): PlaybookView => ({
  name: 'role-change',
  title: 'On role change',
  triggers: [],
  steps: [],
  parameters,
  note: '',
});

test('a wish opens on what it names', () => {
  expect(scopeOf({ namespace: 'session:{id}', tenant: 't1' })).toMatchObject({
    kind: 'namespace',
    namespace: 'session:{id}',
    tenant: 't1',
  });
  expect(scopeOf({ playbook: 'new-invoice' })).toMatchObject({ kind: 'playbook', playbook: 'new-invoice' });
});

test.each<[string, Partial<ScopeForm>, RegExp | null]>([
  ['no namespace', {}, /Choose a namespace/],
  ['a namespace', { namespace: 'a:{b}' }, null],
  ['a version that is none', { namespace: 'a:{b}', staleBelow: 'v2' }, /number/],
  ['an empty pattern', { kind: 'pattern' }, /every key/],
  ['a pattern of stars', { kind: 'pattern', pattern: '**' }, /every key/],
  ['a pattern', { kind: 'pattern', pattern: 'a:*' }, null],
  ['a database that is none', { kind: 'pattern', pattern: 'a:*', database: '-1' }, /database/],
  ['a time to live of zero', { kind: 'pattern', pattern: 'a:*', soften: true, ttlSeconds: '0' }, /seconds/],
  ['no spread', { kind: 'pattern', pattern: 'a:*', soften: true, jitterSeconds: '' }, /spread/],
  [
    'a spread as long as the time',
    { kind: 'pattern', pattern: 'a:*', soften: true, ttlSeconds: '60', jitterSeconds: '60' },
    /shorter/,
  ],
  ['no keys', { kind: 'keys', keys: '\n\n' }, /at least one key/],
  ['a key of spaces', { kind: 'keys', keys: '  ' }, null],
  ['no tag', { kind: 'tag' }, /tag/],
  ['no playbook', { kind: 'playbook' }, /playbook/],
  ['an open parameter', { kind: 'playbook', playbook: 'role-change' }, /Fill in userId/],
  ['a filled one', { kind: 'playbook', playbook: 'role-change', parameters: { userId: '7' } }, null],
])('%s: what is missing is said', (_, more, said) => {
  const told = missing(form(more), [playbook(['userId'])]);
  if (said === null) expect(told).toBe(null);
  else expect(told).toMatch(said);
});

test('keys keep their spaces, one a line', () => {
  expect(keyLines('a b \r\n\n c')).toEqual(['a b ', ' c']);
});

test('a draft says only what is meant', () => {
  expect(draftOf(form({ namespace: ' a:{b} ', tenant: ' ' }))).toEqual({
    kind: 'namespace',
    template: 'a:{b}',
    tenant: null,
    stale_below: null,
  });
  expect(draftOf(form({ namespace: 'a:{v}', tenant: 't', staleBelow: '3' }))).toMatchObject({
    tenant: 't',
    stale_below: 3,
  });
  expect(draftOf(form({ kind: 'pattern', pattern: ' a*', database: '' }))).toEqual({
    kind: 'pattern',
    pattern: ' a*',
    database: null,
  });
  expect(draftOf(form({ kind: 'pattern', pattern: 'a*', soften: true }))).toEqual({
    kind: 'soften',
    pattern: 'a*',
    ttl_seconds: 300,
    jitter_seconds: 60,
  });
  expect(draftOf(form({ kind: 'keys', keys: 'a\nb', database: '3' }))).toEqual({
    kind: 'keys',
    keys: ['a', 'b'],
    database: 3,
  });
});

test('the head names what is meant', () => {
  expect(scopeLine(form({ namespace: 'a:{b}', tenant: 't' }))).toBe('a:{b}, tenant t');
  expect(scopeLine(form({ kind: 'keys', keys: 'a\nb' }))).toBe('2 named keys');
});
