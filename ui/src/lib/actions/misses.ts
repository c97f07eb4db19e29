// Misses that came with a run: what is beyond the mean of the time before it.
import type { HistoryPoint } from '../bindings/HistoryPoint';

/** A history of misses a second as the excess over its mean before `began`; empty where nothing is known before. */
export function extra(history: readonly HistoryPoint[], began: number): HistoryPoint[] {
  const before = history.flatMap(({ at, value }) => (at <= began && value !== null ? [value] : []));
  if (before.length === 0) return [];
  const mean = before.reduce((sum, value) => sum + value, 0) / before.length;
  return history.map(({ at, value }) => ({
    at,
    value: value === null ? null : Math.max(0, value - mean),
    low: null,
    high: null,
  }));
}
