// Layers: which of them are measured, and why others are not.
import type { PartSnapshot } from '../bindings/PartSnapshot';
import type { ReadingKind } from '../bindings/ReadingKind';
import type { Unit } from '../bindings/Unit';

/** The columns of the table. */
export const LAYER_COLUMNS: { kind: ReadingKind; title: string; unit: Unit }[] = [
  { kind: 'hit_rate', title: 'Hit rate', unit: 'ratio' },
  { kind: 'lookups_per_second', title: 'Lookups', unit: 'per_second' },
  { kind: 'latency_p99_seconds', title: 'p99', unit: 'seconds' },
];

const counts = ({ readings }: PartSnapshot) =>
  readings.lookups_per_second?.value != null || readings.hit_rate?.value != null;

/** Layers of which something is counted. */
export function measured(layers: readonly PartSnapshot[]): PartSnapshot[] {
  return layers.filter(counts);
}

/** The others, together where they have the same reason. */
export function unmeasured(layers: readonly PartSnapshot[]): { titles: string; why: string }[] {
  const reasons = new Map<string, string[]>();
  for (const layer of layers.filter((one) => !counts(one))) {
    const why = layer.readings.hit_rate?.reason ?? 'not known';
    reasons.set(why, [...(reasons.get(why) ?? []), layer.title || layer.name]);
  }
  return [...reasons].map(([why, titles]) => ({ titles: titles.join(', '), why }));
}
