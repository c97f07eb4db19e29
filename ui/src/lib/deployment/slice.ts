// Which part of a long table is drawn.

/** Height of a row in pixels; every row has it, so that a place follows from a number. */
export const ROW_HEIGHT = 32;

/** No more than this many rows are ever asked for or drawn. */
export const MOST_ROWS = 60;

/** Rows drawn beyond either end of the view. Each costs memory; those that are scrolled to are asked for at once. */
const AROUND = 2;

/** A run of rows. */
export interface Slice {
  offset: number;
  limit: number;
}

/** The rows that a view of this height shows when scrolled to `top`, with some around them. */
export function visibleSlice(top: number, height: number): Slice {
  const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - AROUND);
  const last = Math.ceil((top + Math.max(height, ROW_HEIGHT)) / ROW_HEIGHT) + AROUND;
  return { offset: first, limit: Math.min(MOST_ROWS, last - first) };
}

/** Where to scroll so that row `place` is wholly in view; `top` itself where it already is. */
export function scrollFor(place: number, top: number, height: number): number {
  const start = place * ROW_HEIGHT;
  if (start < top) return start;
  const end = start + ROW_HEIGHT;
  return end > top + height ? end - height : top;
}
