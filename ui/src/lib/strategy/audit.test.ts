import { expect, test } from 'vitest';

import type { Finding } from '../bindings/Finding';
import type { SizingLine } from '../bindings/SizingLine';
import { byCode, cellsOf, measured, sizeVerdict, ttlVerdict, worstFirst, type Cells } from './audit';

const finding = (code: string, namespace: string): Finding => ({
  code,
  namespace,
  summary: `${code} it is`,
  remedy: '',
});
const exact = (value: number) => ({ value, certainty: 'exact' as const });
const scanned: Cells = { keys: exact(10), ttl_p50_seconds: exact(60), no_ttl_ratio: exact(0) };
const row = { namespace: 'a:{id}', documented_ttl_seconds: 3600 };
const line = (templates: string[]): SizingLine => ({
  what: 'a',
  templates,
  entry_bytes: 100,
  count: 10,
  bytes: 1300,
});

test('what the core found decides, in its words', () => {
  const verdict = ttlVerdict(row, scanned, [finding('ttl-beyond', 'a:{id}'), finding('no-ttl', 'b:{id}')]);
  expect(verdict.status.word).toBe('differs');
  expect(verdict.sentence).toBe('ttl-beyond it is');
});

test('keys without a time to live are never as documented, also where no finding names them', () => {
  const verdict = ttlVerdict(row, { ...scanned, no_ttl_ratio: exact(0.01) }, []);
  expect(verdict.status.word).toBe('differs');
});

test('without a scan nothing is as documented', () => {
  expect(ttlVerdict(row, {}, []).status.word).toBe('not known');
  expect(ttlVerdict(row, scanned, []).status.word).toBe('as documented');
  expect(ttlVerdict(row, { keys: exact(0) }, []).status.word).toBe('no keys');
  expect(ttlVerdict({ ...row, documented_ttl_seconds: null }, scanned, []).status.word).toBe(
    'not documented',
  );
});

test('a line of several namespaces is their sum, and unknown where one is', () => {
  const known = new Map<string, Cells>([
    ['a', { memory_bytes: { value: 100, certainty: 'estimated', low: 90, high: 120 }, keys: exact(5) }],
    ['b', { memory_bytes: exact(50) }],
  ]);
  expect(measured(line(['a', 'b']), known)).toEqual({ bytes: 150, low: 140, high: 170, keys: null });
  expect(measured(line(['a', 'c']), known)).toBeNull();
  expect(measured(line([]), known)).toBeNull();
});

test('a size is larger or smaller where the core says so, and not known without a scan', () => {
  const found = { bytes: 1, low: 1, high: 1, keys: 1 };
  expect(sizeVerdict(line(['a']), found, [finding('larger-than-sized', 'a')]).status.word).toBe('larger');
  expect(sizeVerdict(line(['a']), found, [finding('smaller-than-sized', 'a')]).status.word).toBe('smaller');
  expect(sizeVerdict(line(['a']), found, [finding('larger-than-sized', 'b')]).status.word).toBe(
    'as documented',
  );
  expect(sizeVerdict(line(['a']), null, []).status.word).toBe('not known');
  expect(sizeVerdict(line([]), null, []).sentence).toContain('names no namespace');
});

test('what differs stands first, what is not known second', () => {
  const rows = ['ok', 'unknown', 'off'];
  const verdicts = {
    ok: ttlVerdict(row, scanned, []),
    unknown: ttlVerdict(row, {}, []),
    off: ttlVerdict(row, scanned, [finding('no-ttl', 'a:{id}')]),
  };
  expect(worstFirst(rows, (name) => verdicts[name as keyof typeof verdicts])).toEqual([
    'off',
    'unknown',
    'ok',
  ]);
});

test('findings stand together by what they are, also those that have no name here yet', () => {
  const groups = byCode([finding('no-ttl', 'a'), finding('brand-new', ''), finding('no-ttl', 'b')]);
  expect(groups.map(({ name, findings }) => [name, findings.length])).toEqual([
    ['Keys that never expire', 2],
    ['brand new', 1],
  ]);
});

test('cells are found by what they are', () => {
  const cells = cellsOf({ cells: [exact(1), exact(2)] } as never, { columns: ['keys', 'hit_rate'] });
  expect(cells.hit_rate?.value).toBe(2);
});
