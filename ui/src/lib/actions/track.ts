// What others feel while a run goes on, kept by the page as it comes, for a chart.
import type { HistoryPoint } from '../bindings/HistoryPoint';
import type { RunState } from '../bindings/RunState';
import { show } from '../format/numbers';

/** An hour at one point a second. */
const MOST_POINTS = 3_600;
/** A pause longer than this is a gap, not a line. */
const GAP_MS = 5_000;

const point = (at: number, value: number | null): HistoryPoint => ({ at, value, low: null, high: null });

/** Points with one more; states that were written down at the same time are one. */
export function withPoint(
  points: readonly HistoryPoint[],
  { at, p99_seconds }: RunState,
): readonly HistoryPoint[] {
  const last = points.at(-1);
  if (last && at <= last.at) return points;
  const gap = last && at - last.at > GAP_MS ? [point(last.at + 1, null)] : [];
  return [...points, ...gap, point(at, p99_seconds)].slice(-MOST_POINTS);
}

/** The name of the rule that watches others' round trips, which every run has. */
const ROUND_TRIPS = 'p99 of round trips';

/** The line that a chart of round trips carries: where the run halts, or what was before it while that is not known. */
export function haltLine({
  stop_rules,
  baseline_p99_seconds: before,
}: Pick<RunState, 'stop_rules' | 'baseline_p99_seconds'>): { value: number; name: string } | null {
  const limit = stop_rules.find(({ name }) => name === ROUND_TRIPS)?.limit;
  if (limit != null) return { value: limit, name: `halts at ${show('seconds', limit)}` };
  return before === null ? null : { value: before, name: 'before the run' };
}

const SPANS = [30, 60, 120, 300, 900, 3_600];

/** How far back a chart of a run looks, in seconds: its whole length, in steps so that it isn't drawn anew often. */
export function chartSeconds(began: number, now: number): number {
  const long = (now - began) / 1000;
  return SPANS.find((span) => long <= span) ?? 3_600;
}
