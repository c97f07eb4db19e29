// Where things stand on the timeline.
import type { Timestamp } from '../bindings/Timestamp';
import type { AlertSpan, Item, MarkPoint } from './items';

/** Some items that begin at the same place, told by the weightiest of them. */
export interface Placed {
  key: string;
  items: (AlertSpan | MarkPoint)[];
  first: AlertSpan | MarkPoint;
  x: number;
  /** Width of its span; 0 for a point. */
  width: number;
  lane: number;
  /** The label's left edge, row and width; `null` where there is no room for it. */
  label: { x: number; row: number; width: number } | null;
}

/** How many spans lie beside each other; more share the last lane. */
export const LANES = 3;
export const LABEL_ROWS = 2;
const TOGETHER = 6;
const LETTER = 6.2;
const LONGEST_LABEL = 240;
const LABEL_GAP = 8;

const WEIGHT = { critical: 4, warning: 3, info: 1 };
const weight = (item: AlertSpan | MarkPoint) =>
  item.kind === 'mark' ? 2 : item.fired ? WEIGHT[item.severity] : 0;

/** The words of a label: the item, or how many begin here and the weightiest of them. */
export function labelOf({ first, items }: Pick<Placed, 'first' | 'items'>): string {
  if (items.length === 1) return first.title;
  return `${items.length} ${first.kind === 'alert' ? 'alerts' : 'marks'}: ${first.title}`;
}

/** Places spans and points over `width` pixels from `from` to `to`; the weightiest get their labels first. */
export function place(items: readonly Item[], from: Timestamp, to: Timestamp, width: number): Placed[] {
  const scale = width / Math.max(1, to - from);
  const at = (time: Timestamp) => Math.min(Math.max(0, (time - from) * scale), width);
  const placed: Placed[] = [];
  for (const item of items) {
    if (item.kind === 'gap') continue;
    const x = at(item.from);
    const end = item.kind === 'mark' ? x : at(item.to ?? to);
    const near = placed.find((other) => Math.abs(other.x - x) < TOGETHER && other.first.kind === item.kind);
    if (near) {
      near.items.push(item);
      near.width = Math.max(near.width, end - near.x);
      if (weight(item) > weight(near.first)) near.first = item;
    } else {
      placed.push({ key: item.key, items: [item], first: item, x, width: end - x, lane: 0, label: null });
    }
  }
  lanes(placed);
  labels(placed, width);
  return placed;
}

function lanes(placed: Placed[]): void {
  const ends: number[] = new Array<number>(LANES).fill(-Infinity);
  for (const one of placed) {
    const free = ends.findIndex((end) => end + 4 < one.x);
    one.lane = free === -1 ? LANES - 1 : free;
    ends[one.lane] = Math.max(ends[one.lane] ?? 0, one.x + one.width);
  }
}

function labels(placed: Placed[], width: number): void {
  const taken: { row: number; from: number; to: number }[] = [];
  const byWeight = [...placed].sort(
    (one, other) => weight(other.first) - weight(one.first) || other.x - one.x,
  );
  for (const one of byWeight) {
    const long = Math.min(LONGEST_LABEL, labelOf(one).length * LETTER + 6);
    // To the right of its beginning, or, at the end of the line, to the left of it.
    const starts = [one.x, one.x - long].filter((x) => x >= 0 && x + long <= width);
    const rows = Array.from({ length: LABEL_ROWS }, (_, row) => LABEL_ROWS - 1 - row);
    const free = rows
      .flatMap((row) => starts.map((x) => ({ row, x, width: long })))
      .find(({ row, x }) =>
        taken.every(
          (other) => other.row !== row || x > other.to + LABEL_GAP || x + long < other.from - LABEL_GAP,
        ),
      );
    if (!free) continue;
    one.label = free;
    taken.push({ row: free.row, from: free.x, to: free.x + long });
  }
}

/** Spans that the timeline shows, with the steps of its ticks, in seconds. */
export const TIMELINE_RANGES = [
  { value: '3600', name: '1 h', step: 600 },
  { value: '21600', name: '6 h', step: 3_600 },
  { value: '86400', name: '24 h', step: 14_400 },
] as const;
export type TimelineRange = (typeof TIMELINE_RANGES)[number]['value'];

/** Round local times between two moments. */
export function ticks(from: Timestamp, to: Timestamp, stepSeconds: number): Timestamp[] {
  const step = stepSeconds * 1000;
  const shift = new Date(from).getTimezoneOffset() * 60_000;
  const first = Math.ceil((from - shift) / step) * step + shift;
  const found: Timestamp[] = [];
  for (let at = first; at <= to; at += step) found.push(at);
  return found;
}
