import { expect, test } from 'vitest';

import { COLUMNS, layoutOf, type ColumnId } from './columns';

const ids = (width: number, chosen: ReadonlySet<ColumnId> | null = null) =>
  layoutOf(width, chosen).columns.map(({ id }) => id);

test('columns give way one after the other, the documented lifetime first', () => {
  expect(ids(1400)).toContain('ttl');
  expect(ids(860)).not.toContain('ttl');
  expect(ids(860)).toContain('evictions');
  expect(ids(760)).not.toContain('keys');
  expect(ids(400)).toEqual(['name', 'alerts', 'hit', 'lookups', 'misses', 'p99', 'memory']);
});

test('what is shown without a choice fits, down to the width of the narrowest window', () => {
  for (let width = 640; width < 2400; width += 20)
    expect(layoutOf(width, null).least).toBeLessThanOrEqual(width);
});

test('chosen columns are all shown, the name always, in the order of the table', () => {
  const chosen = new Set<ColumnId>(['nottl', 'ttl', 'hit', 'expirations', 'keys']);
  expect(ids(500, chosen)).toEqual(['name', 'hit', 'keys', 'expirations', 'ttl', 'nottl']);
  expect(layoutOf(300, chosen).least).toBeGreaterThan(300);
});

test('every shown column has its track', () => {
  for (const width of [700, 1050, 1600]) {
    const { columns, template } = layoutOf(width, null);
    expect(template.replaceAll(/minmax\([^)]*\)/g, 'x').split(' ').length).toBe(columns.length);
  }
});

test('every column can be told from the others and explains itself', () => {
  expect(new Set(COLUMNS.map(({ id }) => id)).size).toBe(COLUMNS.length);
  for (const { explained } of COLUMNS) expect(explained).toMatch(/\.$/);
});
