// A preview's four figures: how much, how heavy, how much it is read, and what that will cost.
import type { PreviewedAction } from '../bindings/PreviewedAction';
import type { Reading } from '../bindings/Reading';
import type { TtlSpread } from '../bindings/TtlSpread';
import type { Unit } from '../bindings/Unit';
import { count, goal, grouped, ratio, show, written } from '../format/numbers';
import { explained, interval } from '../format/reading';
import { span } from '../format/time';
import type { Box } from './Boxes.svelte';
import { warmBoxes } from './warm';
import { deedOf } from './words';

/** What the deployment does now, to hold the prediction against; `null` where not known. */
export interface Now {
  lookups: number | null;
  misses: number | null;
}

const share = (part: number, whole: number) => written(ratio(whole > 0 ? part / whole : 0));

/** A reading as a box: unknown is said as unknown, with its reason under it. */
function boxOf(name: string, unit: Unit, reading: Reading, under: string): Box {
  if (reading.value === null)
    return {
      name,
      figure: 'unknown',
      under: reading.reason ?? '',
      tone: 'absent',
      explained: reading.reason ?? '',
    };
  return { name, figure: show(unit, reading.value), under, explained: explained(unit, reading) };
}

/** The interval, or how sure it is where there is none. */
function sureness(unit: Unit, reading: Reading): string {
  const between = interval(unit, reading);
  return between === '' ? reading.certainty : `${between}, sampled`;
}

export function boxesOf({ preview, limits }: PreviewedAction, now: Now): Box[] {
  if (deedOf(preview.plan) === 'fill') return warmBoxes(preview);
  const reads = preview.reads_per_second;
  const misses = preview.predicted_extra_misses_per_second;
  const readShare =
    reads.value !== null && now.lookups
      ? `${share(reads.value, now.lookups)} of lookups`
      : sureness('per_second', reads);
  const more =
    misses.value !== null && now.misses
      ? `+${share(misses.value, now.misses)} on the misses now`
      : sureness('per_second', misses);
  const few = preview.keys <= limits.always_allowed_keys;
  const limit = few
    ? `Up to ${grouped(limits.always_allowed_keys)} keys are below the limit, whatever their share`
    : `The limit is ${goal(limits.keys_ratio)} of all keys`;
  return [
    {
      name: 'Keys, exact',
      figure: grouped(preview.keys),
      under: `${share(preview.keys, preview.all_keys)} of ${written(count(preview.all_keys))}`,
      explained: limit,
      testid: 'preview-keys',
      value: preview.keys,
    },
    boxOf('Memory freed', 'bytes', preview.bytes, sureness('bytes', preview.bytes)),
    boxOf('Reads these keys get', 'per_second', reads, readShare),
    {
      ...boxOf('Extra misses, predicted', 'per_second', misses, more),
      ...((misses.value ?? 0) > 0 && { tone: 'warn' }),
    },
  ];
}

/** Types in words, most first: "string 11,902, hash 578". */
export function typesInWords({ types, types_of, keys }: PreviewedAction['preview']): string {
  const told = Object.entries(types)
    .sort(([, a], [, b]) => b - a)
    .map(([type, keys]) => `${type} ${grouped(keys)}`)
    .join(', ');
  return types_of < keys ? `${told} (scaled from ${grouped(types_of)} keys)` : told;
}

/** Times to live in words: "3 s to 30 min, median 14 min; none without". */
export function ttlInWords(ttl: TtlSpread): string {
  const without = ttl.without === 0 ? 'none without' : `${grouped(ttl.without)} without`;
  if (ttl.shortest_seconds === null || ttl.longest_seconds === null) return `no key expires; ${without}`;
  const median = ttl.median_seconds === null ? '' : `, median ${span(ttl.median_seconds)}`;
  return `${span(ttl.shortest_seconds)} to ${span(ttl.longest_seconds)}${median}; ${without}`;
}
