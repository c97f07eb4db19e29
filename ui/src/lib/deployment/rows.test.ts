import { beforeEach, expect, test, vi } from 'vitest';

import type { Reply } from '../bindings/Reply';
import type { RowPage } from '../bindings/RowPage';
import type { RowQuery } from '../bindings/RowQuery';
import { useTransport } from '../host/host';
import { NamespaceRows } from './rows.svelte';

/** Questions that wait for their answer. */
let asked: { query: RowQuery; answer: (reply: Reply) => void; fail: (error: unknown) => void }[] = [];

beforeEach(() => {
  asked = [];
  useTransport({
    request: (request) =>
      new Promise((answer, fail) => {
        if (request.request === 'rows') asked.push({ query: request.query, answer, fail });
      }),
    watch: () => Promise.resolve(),
  });
});

const page = (names: string[], sparks = false): RowPage => ({
  at: 0,
  matching: names.length,
  total: names.length,
  columns: [],
  reasons: [],
  rows: names.map((namespace) => ({
    namespace,
    title: namespace,
    origin: 'documented',
    documented_ttl_seconds: null,
    hit_rate_target: null,
    below_target: false,
    cells: [],
    miss_causes: { expired: 0, evicted: 0, deleted: 0, flushed: 0, cold: 0, unknown: 0 },
    alerts: 0,
    worst_alert: null,
    spark: sparks ? [0.5] : [],
  })),
});
const slice = { offset: 0, limit: 40 };

async function answer(place: number, names: string[]): Promise<void> {
  await vi.waitFor(() => expect(asked.length).toBeGreaterThan(place));
  asked[place]?.answer({ reply: 'rows', data: page(names, asked[place].query.sparks) });
  await new Promise((settled) => setTimeout(settled));
}
const shown = (rows: NamespaceRows) => rows.slots.map(({ row }) => row.namespace).join('');

test('wishes that come while a question is on its way are served by one more', async () => {
  const rows = new NamespaceRows('d');
  for (let wish = 0; wish < 5; wish += 1) rows.ask('1m', slice);
  await answer(0, ['a']);
  await answer(1, ['a']);
  expect(asked.length).toBe(2);
});

test('the answer to a question that is no longer asked is not shown', async () => {
  const rows = new NamespaceRows('d');
  rows.ask('1m', slice);
  rows.filter = 'x';
  await answer(0, ['a', 'b']);
  expect(shown(rows)).toBe('');
  await answer(1, ['x']);
  expect(asked[1]?.query.filter).toBe('x');
  expect(shown(rows)).toBe('x');
});

test('while held, rows stay where they are until they are let go', async () => {
  const rows = new NamespaceRows('d');
  rows.ask('1m', slice);
  await answer(0, ['a', 'b']);
  rows.hold = true;
  rows.ask('1m', slice);
  await answer(1, ['b', 'a']);
  expect([shown(rows), rows.moved]).toEqual(['ab', true]);
  rows.release();
  await answer(2, ['b', 'a']);
  expect([shown(rows), rows.moved]).toEqual(['ba', false]);
});

test('another order takes effect at once, held or not', async () => {
  const rows = new NamespaceRows('d');
  rows.ask('1m', slice);
  await answer(0, ['a', 'b']);
  rows.hold = true;
  rows.sortBy({ by: 'name' }, true);
  rows.ask('1m', slice);
  await answer(1, ['b', 'a']);
  expect(shown(rows)).toBe('ba');
});

test('spark lines are asked for once and then kept', async () => {
  const rows = new NamespaceRows('d');
  rows.ask('1m', slice);
  await answer(0, ['a']);
  rows.ask('1m', slice);
  await answer(1, ['a']);
  expect(asked.map(({ query }) => query.sparks)).toEqual([true, false]);
  expect(rows.sparks.get('a')).toEqual([0.5]);
});

test('a failed question leaves the rows and says why; the next answer clears it', async () => {
  const rows = new NamespaceRows('d');
  rows.ask('1m', slice);
  await answer(0, ['a']);
  rows.ask('1m', slice);
  await vi.waitFor(() => expect(asked.length).toBe(2));
  asked[1]?.fail({ code: 'not_found', message: 'It is gone.', remedy: '' });
  await vi.waitFor(() => expect(rows.trouble?.code).toBe('not_found'));
  expect(shown(rows)).toBe('a');
  rows.ask('1m', slice);
  await answer(2, ['a']);
  expect(rows.trouble).toBe(null);
});
