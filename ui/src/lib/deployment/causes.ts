// Misses by cause over time, as the stacked chart takes them.
import type { CausePoint } from '../bindings/CausePoint';
import type { ChartSpec, Series } from '../charts/plot';
import { CAUSES } from '../format/reading';

/** The causes that occur, a line each, lowest layer first. */
export function causeChart(points: readonly CausePoint[]): ChartSpec {
  const lines = CAUSES.filter(({ cause }) => points.some(({ causes }) => (causes?.[cause] ?? 0) > 0));
  // Nothing missed is drawn too: as a line on the ground.
  return {
    id: 'causes',
    title: 'Misses by cause',
    unit: 'per_second',
    stacked: true,
    lines: (lines.length > 0 ? lines : CAUSES.slice(0, 1)).map(({ cause }) => ({
      kind: cause,
      name: cause,
      colour: `--cause-${cause}`,
    })),
  };
}

/** Misses a second of each cause; a gap stays a gap. `seconds` is the span of all points together. */
export function causeSeries(points: readonly CausePoint[], seconds: number): Series[] {
  const each = seconds / Math.max(1, points.length);
  return CAUSES.map(({ cause }) => ({
    kind: cause,
    points: points.map(({ at, causes }) => {
      const value = causes === null ? null : causes[cause] / each;
      return { at, value, low: null, high: null };
    }),
  }));
}
