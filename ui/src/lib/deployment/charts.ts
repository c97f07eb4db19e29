// Which charts a panel has.
import type { ReadingKind } from '../bindings/ReadingKind';
import type { ChartSpec } from '../charts/plot';
import { goal } from '../format/numbers';

/** Spans that charts show. */
export const RANGES = [
  { value: '900', name: '15 min' },
  { value: '3600', name: '1 h' },
  { value: '21600', name: '6 h' },
  { value: '86400', name: '24 h' },
] as const;
export type Range = (typeof RANGES)[number]['value'];

/** Points of a chart: about two for every pixel column would be wasted, one for every two is smooth. */
export const POINTS = 180;

/** How often a chart over this many seconds is read again: when about one new point exists, 5 s to a minute. */
export function readEveryMs(seconds: number): number {
  return Math.min(60_000, Math.max(5_000, (seconds * 1000) / POINTS));
}

/** The charts of a namespace or of a whole deployment; a hit rate below its target is drawn as such. */
export function chartsOf(target: number | null, below: boolean, maxmemory: number): ChartSpec<ReadingKind>[] {
  return [
    {
      id: 'hit_rate',
      title: 'Hit rate',
      unit: 'ratio',
      lines: [{ kind: 'hit_rate', name: 'hit rate', colour: below ? '--crit' : '--accent' }],
      target: target === null ? null : { value: target, name: `target ${goal(target)}` },
    },
    {
      id: 'misses',
      title: 'Misses',
      unit: 'per_second',
      lines: [{ kind: 'misses_per_second', name: 'misses', colour: '--accent' }],
    },
    {
      id: 'latency',
      title: 'Latency',
      unit: 'seconds',
      lines: [
        { kind: 'latency_p99_seconds', name: 'p99', colour: '--accent' },
        { kind: 'latency_p50_seconds', name: 'p50', colour: '--cause-deleted' },
      ],
    },
    {
      id: 'memory',
      title: 'Memory',
      unit: 'bytes',
      lines: [{ kind: 'memory_bytes', name: 'memory', colour: '--accent' }],
      target: maxmemory > 0 ? { value: maxmemory, name: 'maxmemory' } : null,
    },
    {
      id: 'evictions',
      title: 'Evictions',
      unit: 'per_second',
      lines: [{ kind: 'evictions_per_second', name: 'evictions', colour: '--cause-evicted' }],
    },
  ];
}

/** Every reading that some charts need, once. */
export function kindsOf(charts: readonly ChartSpec<ReadingKind>[]): ReadingKind[] {
  return [...new Set(charts.flatMap(({ lines }) => lines.map(({ kind }) => kind)))];
}
