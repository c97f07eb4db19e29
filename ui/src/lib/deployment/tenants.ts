// Which tenants of a namespace are shown, and what isn't known of them.
import type { ReadingKind } from '../bindings/ReadingKind';
import type { TenantSnapshot } from '../bindings/TenantSnapshot';
import type { Unit } from '../bindings/Unit';
import { fewest } from './keys';

/** This many have a row until all are asked for, or one more; the others together always have theirs. */
const FEW_TENANTS = 7;

/** What is shown of a tenant. Where the unit stands in the title, the cells go without. */
export const TENANT_COLUMNS: { kind: ReadingKind; title: string; unit: Unit; bare: boolean }[] = [
  { kind: 'keys', title: 'Keys', unit: 'count', bare: false },
  { kind: 'memory_bytes', title: 'Memory', unit: 'bytes', bare: false },
  { kind: 'misses_per_second', title: 'Misses/s', unit: 'per_second', bare: true },
  { kind: 'evictions_per_second', title: 'Evictions/s', unit: 'per_second', bare: true },
];

/** The tenants in the core's order, which is by size, and the others together after them. */
export function tenantRows(tenants: readonly TenantSnapshot[], all: boolean): TenantSnapshot[] {
  const named = tenants.filter(({ others }) => !others);
  return [...(all ? named : fewest(named, FEW_TENANTS)), ...tenants.filter(({ others }) => others)];
}

/** Why figures are missing, each reason once with its columns: "Keys, memory: the scan is off". */
export function missing(rows: readonly TenantSnapshot[]): string[] {
  const columns = new Map<string, Set<string>>();
  for (const { kind, title } of TENANT_COLUMNS) {
    for (const { readings } of rows) {
      const reading = readings[kind];
      if (reading?.value != null) continue;
      const reason = reading?.reason ?? 'not known';
      columns.set(reason, (columns.get(reason) ?? new Set()).add(title));
    }
  }
  return [...columns].map(([reason, titles]) => {
    const names = [...titles].join(', ');
    return `${names.charAt(0)}${names.slice(1).toLowerCase()}: ${reason}`;
  });
}
