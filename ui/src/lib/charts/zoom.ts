// Looking nearer: a part of a chart's span, in seconds.

export interface Span {
  from: number;
  to: number;
}

/** Nothing is nearer than this: figures are a second apart. */
const LEAST = 10;

/** Most points that the core hands out. */
const MOST_POINTS = 1_000;

/** A span dragged out with the pointer; `null` where it is too small to be meant. */
export function dragged(from: number, to: number): Span | null {
  const span = { from: Math.min(from, to), to: Math.max(from, to) };
  return span.to - span.from >= LEAST / 2 ? atLeast(span) : null;
}

/** Half of what is shown, around a moment that keeps its place. */
export function nearer(shown: Span, around: number): Span {
  const share = (around - shown.from) / (shown.to - shown.from);
  const length = Math.max(LEAST, (shown.to - shown.from) / 2);
  const from = around - length * share;
  return { from, to: from + length };
}

/** Twice of what is shown; `null`, the whole again, once nothing is left out. */
export function farther(shown: Span, around: number, whole: Span): Span | null {
  const share = (around - shown.from) / (shown.to - shown.from);
  const length = (shown.to - shown.from) * 2;
  if (length >= whole.to - whole.from) return null;
  const from = Math.min(Math.max(around - length * share, whole.from), whole.to - length);
  return { from, to: from + length };
}

function atLeast({ from, to }: Span): Span {
  if (to - from >= LEAST) return { from, to };
  const middle = (from + to) / 2;
  return { from: middle - LEAST / 2, to: middle + LEAST / 2 };
}

/**
 * What to ask of the core so that a zoomed chart has as many points as a whole one: it answers back from now, so what
 * lies after the span comes along.
 */
export function toAsk(
  zoom: Span | null,
  seconds: number,
  points: number,
  now: number,
): { seconds: number; points: number } {
  if (zoom === null) return { seconds, points };
  const back = Math.min(86_400, Math.max(LEAST, Math.ceil(now - zoom.from)));
  const wanted = Math.ceil((points * back) / Math.max(LEAST, zoom.to - zoom.from));
  return { seconds: back, points: Math.min(MOST_POINTS, back, wanted) };
}
