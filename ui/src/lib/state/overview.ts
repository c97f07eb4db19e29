import type { OverviewFrame } from '../bindings/OverviewFrame';
import type { OverviewRow } from '../bindings/OverviewRow';

/**
 * An overview of many deployments comes in parts, so that each frame stays small. A part replaces its rows; those
 * of the parts that are still on their way stay as they were. A row that says the same as before is the same object, so
 * that nothing is drawn anew for it.
 */
export function withPart(before: OverviewFrame | null, part: OverviewFrame): OverviewFrame {
  const rows = before?.rows ?? [];
  const known = new Map(rows.map((row) => [row.id, row]));
  const fresh = new Set(part.rows.map(({ id }) => id));
  const steady = (row: OverviewRow) => {
    const old = known.get(row.id);
    return old && JSON.stringify(old) === JSON.stringify(row) ? old : row;
  };
  const old = (from: number, to: number) => rows.slice(from, to).filter(({ id }) => !fresh.has(id));
  return {
    ...part,
    offset: 0,
    rows: [
      ...old(0, part.offset),
      ...part.rows.map(steady),
      ...old(part.offset + part.rows.length, part.total),
    ],
  };
}

/** Whether a part is the last of its overview. */
export function isLast(part: OverviewFrame): boolean {
  return part.offset + part.rows.length >= part.total;
}
