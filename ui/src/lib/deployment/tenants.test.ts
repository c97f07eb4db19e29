import { expect, test } from 'vitest';

import type { Reading } from '../bindings/Reading';
import type { TenantSnapshot } from '../bindings/TenantSnapshot';
import { tenantsOf } from '../host/fixture/contents';
import { TENANT_COLUMNS, missing, tenantRows } from './tenants';

const known: Reading = {
  value: 1,
  certainty: 'exact',
  low: 1,
  high: 1,
  source: 'scan',
  window_seconds: 0,
};
const unknown = (reason: string): Reading => ({ ...known, value: null, certainty: 'unavailable', reason });
const tenant = (name: string, readings: TenantSnapshot['readings'] = {}): TenantSnapshot => ({
  tenant: name,
  others: name === '',
  readings: {
    ...Object.fromEntries(TENANT_COLUMNS.map(({ kind }) => [kind, known])),
    ...readings,
  },
});
const many = (count: number) => Array.from({ length: count }, (_, place) => tenant(`t${place}`));

test.each([
  [0, 0],
  [8, 8],
  [9, 7],
  [100, 7],
])('of %i tenants %i have a row', (count, shown) => {
  expect(tenantRows(many(count), false)).toEqual(many(shown));
  expect(tenantRows(many(count), true)).toEqual(many(count));
});

test('the others together are the last row, however few are shown', () => {
  const all = [...many(20), tenant('')];
  expect(tenantRows(all, false).at(-1)?.others).toBe(true);
  expect(tenantRows(all, false)).toHaveLength(8);
  expect(tenantRows([tenant(''), ...many(2)], true).map(({ others }) => others)).toEqual([
    false,
    false,
    true,
  ]);
});

test('what is known needs no reason', () => {
  expect(missing(many(3))).toEqual([]);
});

test('a reason stands once, with the columns that miss their figures', () => {
  const off = { keys: unknown('the scan is off'), memory_bytes: unknown('the scan is off') };
  const events = { misses_per_second: unknown('no events') };
  expect(missing([tenant('a', { ...off, ...events }), tenant('b', off)])).toEqual([
    'Keys, memory: the scan is off',
    'Misses/s: no events',
  ]);
});

test('one tenant without a figure is told too', () => {
  const few = { memory_bytes: unknown('too few were weighed') };
  expect(missing([tenant('a'), tenant('b', few)])).toEqual(['Memory: too few were weighed']);
});

test('only a template with a tenant is invented with tenants', () => {
  expect(tenantsOf('session:{id}', false)).toEqual([]);
  expect(tenantsOf('organization:{tenantId}:{orgId}', false).length).toBeGreaterThan(8);
});
