import { expect, test } from 'vitest';

import { draftOf, missing, scopeOf } from './scope';
import { usualWarm, warmBoxes, warmMissing, type WarmForm } from './warm';

const form = (more: Partial<WarmForm>): WarmForm => ({ ...usualWarm, ...more });

test('a wish to warm opens on its plan or its namespace', () => {
  expect(scopeOf({ warm: 'tiles' })).toMatchObject({ kind: 'warm', warm: { plan: 'tiles' } });
  expect(scopeOf({ namespace: 'a:{b}', fill: true })).toMatchObject({ kind: 'warm', namespace: 'a:{b}' });
});

test('what a purge removed is a wish like any other, and limits left alone are left to the core', () => {
  const wished = scopeOf({ ofRun: '14' });
  expect(wished).toMatchObject({ kind: 'warm', warm: { keys: 'run', run: '14', way: 'request' } });
  wished.warm.url = 'https://h/{namespace}';
  expect(missing(wished, null)).toBe(null);
  expect(draftOf(wished)).toMatchObject({ warm: { keys: { which: 'run', run: '14' }, limits: null } });
  wished.warm.perMinute = '90';
  expect(draftOf(wished)).toMatchObject({ warm: { limits: { per_minute: 90, concurrency: 4, retries: 2 } } });
});

test.each<[string, Partial<WarmForm>, string, RegExp | null]>([
  ['nothing', {}, '', /plan or a namespace/],
  ['a namespace without a URL', {}, 'a:{b}', /URL/],
  ['a namespace with one', { url: 'https://h/{b}' }, 'a:{b}', null],
  ['a plan', { plan: 'tiles' }, '', null],
  ['the keys of no run', { keys: 'run', url: 'https://h/{b}' }, '', /Name the run/],
  ['a copy from nowhere', { way: 'copy' }, 'a:{b}', /Choose the deployment/],
  ['an undo file of no run', { way: 'undo' }, '', /Name the run/],
  ['a replacement of nothing', { way: 'refresh', url: 'https://h/{b}' }, '', /namespace/],
  ['no requests', { plan: 'tiles', perMinute: '0' }, '', /one request a minute/],
])('%s: what is missing is said', (_, more, namespace, said) => {
  const told = warmMissing(form(more), namespace);
  if (said === null) expect(told).toBe(null);
  else expect(told).toMatch(said);
});

test('a draft says only what is meant, and the token by its name', () => {
  const typed = { ...scopeOf({ namespace: 'a:{b}', fill: true }), tenant: ' t1 ' };
  typed.warm = form({ url: ' https://h/{b} ', withSecret: true, keys: 'expiring', expiringSeconds: '90' });
  expect(missing(typed, null)).toBe(null);
  expect(draftOf(typed)).toMatchObject({
    kind: 'warm',
    warm: {
      plan: null,
      namespace: 'a:{b}',
      tenant: 't1',
      url: 'https://h/{b}',
      secret: 'endpoint-token',
      keys: { which: 'expiring', within_seconds: 90 },
      copy_from: null,
      refresh: false,
    },
  });
  typed.warm = form({ way: 'undo', run: '14' });
  expect(draftOf(typed)).toMatchObject({
    warm: { url: null, secret: null, copy_from: { from: 'undo', run: '14' } },
  });
});

test('what nobody has counted is not promised', () => {
  const outlook = { due: 3, there: 1, requests: 3, least_seconds: 0.3, bytes: 0 };
  const won = { namespace: 'a:{b}', misses_per_second: 2 };
  const [, , , known] = warmBoxes({
    keys: 3,
    warms: [{ ...outlook, won_back: [{ ...won, hit_rate: 0.7, hit_rate_after: 0.8 }] }],
  });
  expect(known?.figure).toBe('+10.0 points');
  const [, , , unknown] = warmBoxes({
    keys: 3,
    warms: [{ ...outlook, won_back: [{ ...won, hit_rate: null, hit_rate_after: null }] }],
  });
  expect(unknown?.figure).toBe('unknown');
});
