import type { OverviewFrame } from '../bindings/OverviewFrame';

/**
 * An overview of many deployments comes in parts, so that each frame stays small. A part replaces its rows; those
 * of the parts that are still on their way stay as they were.
 */
export function withPart(before: OverviewFrame | null, part: OverviewFrame): OverviewFrame {
  const rows = before?.rows ?? [];
  const fresh = new Set(part.rows.map(({ id }) => id));
  const old = (from: number, to: number) => rows.slice(from, to).filter(({ id }) => !fresh.has(id));
  return {
    ...part,
    offset: 0,
    rows: [...old(0, part.offset), ...part.rows, ...old(part.offset + part.rows.length, part.total)],
  };
}
