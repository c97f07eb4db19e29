// How sure a figure is, in words and in a mark beside it.
import type { Cell } from '../bindings/Cell';
import type { Certainty } from '../bindings/Certainty';
import type { MissCauses } from '../bindings/MissCauses';
import type { Reading } from '../bindings/Reading';
import type { Unit } from '../bindings/Unit';
import { NO_FIGURE, figure, part, show } from './numbers';
import { span } from './time';

/** The part of a reading that its interval needs. */
type Spread = Pick<Reading | Cell, 'value' | 'certainty' | 'low' | 'high'>;

/** What each certainty means, one clause. */
export const CERTAINTY: Record<Certainty, string> = {
  exact: 'counted, every single one',
  estimated: 'sampled, true in 95 of 100 cases within the interval',
  modelled: 'computed under the stated assumption',
  unavailable: 'not known',
};

/** Half the interval's width in the unit in which the value is shown, such as "±0.7"; empty where there is none. */
export function plusMinus(unit: Unit, { value, certainty, low, high }: Spread): string {
  if (certainty !== 'estimated' || value == null || low == null || high == null) return '';
  const half = (high - low) / 2;
  if (half <= 0) return '';
  if (unit === 'ratio') return `±${half * 100 < 0.05 ? '<0.1' : (half * 100).toFixed(1)}`;
  const { text } = figure(unit, value);
  const digits = text.split('.')[1]?.length ?? 0;
  const shown = value === 0 ? half : (half / value) * Number(text.replaceAll(',', ''));
  const least = 10 ** -digits;
  return `±${shown < least / 2 ? `<${least}` : shown.toFixed(digits)}`;
}

/** The interval in full, such as "70.6 % to 72.0 %"; empty where there is none. */
export function interval(unit: Unit, { certainty, low, high }: Spread): string {
  if (certainty !== 'estimated' || low == null || high == null) return '';
  return `${show(unit, low)} to ${show(unit, high)}`;
}

/** Everything about a reading in a few short lines, for a tooltip. */
export function explained(unit: Unit, reading: Reading | undefined): string {
  if (!reading) return 'Not measured here.';
  if (reading.certainty === 'unavailable') return reading.reason ?? 'Not known.';
  const lines = [`${show(unit, reading.value)}, ${reading.certainty}: ${CERTAINTY[reading.certainty]}`];
  const between = interval(unit, reading);
  if (between) lines.push(`95 % interval ${between}`);
  if (reading.reason) lines.push(reading.reason);
  lines.push(`From ${reading.source || 'an unnamed source'}, over ${span(reading.window_seconds)}`);
  return lines.join('\n');
}

/** A hit rate as text; where nothing was asked for in the window it says so instead of a number. */
export function isNoTraffic(hitRate: Spread | undefined, lookups: Spread | undefined): boolean {
  return hitRate?.value == null && lookups?.value === 0;
}

/** The miss causes in the order in which bars and legends show them. */
export const CAUSES: { cause: keyof MissCauses; meaning: string }[] = [
  { cause: 'evicted', meaning: 'removed because memory was short' },
  { cause: 'expired', meaning: 'its time to live had run out' },
  { cause: 'deleted', meaning: 'someone deleted it' },
  { cause: 'flushed', meaning: 'its database had been flushed' },
  { cause: 'cold', meaning: 'not seen since watching began' },
  { cause: 'unknown', meaning: 'cause not known' },
];

/** Each cause with its count and its share of all misses; empty where no miss was seen. */
export function shares(causes: MissCauses): { cause: keyof MissCauses; count: number; share: number }[] {
  const total = CAUSES.reduce((sum, { cause }) => sum + causes[cause], 0);
  if (total === 0) return [];
  return CAUSES.filter(({ cause }) => causes[cause] > 0).map(({ cause }) => ({
    cause,
    count: causes[cause],
    share: causes[cause] / total,
  }));
}

/** Causes in words, largest first: "evicted 84 %, expired 9 %". */
export function causesInWords(causes: MissCauses): string {
  const parts = shares(causes).sort((a, b) => b.share - a.share);
  if (parts.length === 0) return NO_FIGURE;
  return parts.map(({ cause, share }) => `${cause} ${part(share)}`).join(', ');
}

/** "mostly evicted" where one cause has more than half of the misses; empty otherwise. */
export function mostly(causes: MissCauses): string {
  const top = shares(causes).find(({ share }) => share > 0.5);
  return top ? `mostly ${top.cause}` : '';
}

/**
 * Place of a hit rate on a scale of nines, from 0 to 1: 0 % → 0, 90 % → 1/3, 99 % → 2/3, 99.9 % and more → 1.
 * On a linear scale the difference between 95 and 99 %, a factor of five in misses, could not be seen.
 */
export function nines(hitRate: number): number {
  return Math.min(1, Math.max(0, -Math.log10(Math.max(1 - hitRate, 1e-9)) / 3));
}
