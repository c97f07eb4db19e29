import { beforeEach, expect, test } from 'vitest';

import type { Reply } from '../bindings/Reply';
import type { Request } from '../bindings/Request';
import type { SourcePrice } from '../bindings/SourcePrice';
import { useTransport } from '../host/host';
import { PricedSwitch } from './price.svelte';

let asked: Request[] = [];
let token: string | null;
let refused: boolean;

const price = (): SourcePrice => ({
  source: 'slowlog',
  sentence: 'Costs a little.',
  commands: token === null ? [] : ['CONFIG SET slowlog-log-slower-than 0'],
  settings: [],
  put_back: '',
  approval: token === null ? null : { token, expires_at: 0 },
});

beforeEach(() => {
  [asked, token, refused] = [[], 't1', false];
  useTransport({
    request: (request) => {
      asked.push(request);
      if (request.request === 'preview_source' || request.request === 'preview_events')
        return Promise.resolve({ reply: request.request, data: price() } as Reply);
      if (refused) return Promise.reject(new Error('The server is not as it was.'));
      return Promise.resolve({ reply: request.request, data: {} } as Reply);
    },
    watch: () => Promise.resolve(),
  });
});

const names = () => asked.map(({ request }) => request);

test('nothing is switched on before its price was shown', async () => {
  const priced = new PricedSwitch('d', { of: 'source', source: 'slowlog' });
  expect(await priced.approve()).toBe(false);
  await priced.read();
  expect(names()).toEqual(['preview_source']);
});

test('the approval that came with the price goes with the request', async () => {
  const priced = new PricedSwitch('d', { of: 'source', source: 'slowlog' });
  await priced.read();
  expect(await priced.approve()).toBe(true);
  expect(asked[1]).toEqual({
    request: 'set_source',
    deployment: 'd',
    source: 'slowlog',
    on: true,
    approval: 't1',
  });
});

test('a source that changes nothing needs no approval', async () => {
  token = null;
  const priced = new PricedSwitch('d', { of: 'source', source: 'scan' });
  await priced.read();
  expect(await priced.approve()).toBe(true);
  expect(asked[1]).toEqual({ request: 'set_source', deployment: 'd', source: 'scan', on: true });
});

test('a server that announces events already is left alone', async () => {
  token = null;
  const priced = new PricedSwitch('d', { of: 'announcement' });
  await priced.read();
  expect([priced.needed, await priced.approve()]).toEqual([false, false]);
  expect(names()).toEqual(['preview_events']);
});

test('after a refusal the price is asked for anew, and why it was refused stays', async () => {
  const priced = new PricedSwitch('d', { of: 'announcement' });
  await priced.read();
  [refused, token] = [true, 't2'];
  expect(await priced.approve()).toBe(false);
  expect(priced.trouble?.message).toContain('not as it was');
  refused = false;
  expect(await priced.approve()).toBe(true);
  expect(asked.at(-1)).toEqual({ request: 'enable_events', deployment: 'd', approval: 't2' });
});
