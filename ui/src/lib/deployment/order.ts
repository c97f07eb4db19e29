// Which row stands where. The core sorts; while someone is in the table, rows keep their place all the same,
// and only their figures change.
import type { Cell } from '../bindings/Cell';
import type { ReadingKind } from '../bindings/ReadingKind';
import type { Row } from '../bindings/Row';
import type { RowPage } from '../bindings/RowPage';

/** A row at its place, with its cells by kind. */
export interface Slot {
  row: Row;
  cells: Partial<Record<ReadingKind, Cell>>;
  /** Reasons that the cells point to. */
  reasons: readonly string[];
  /** Whether the row has left this part of the order, so that its figures are those of an earlier answer. */
  stale: boolean;
}

function slotOf(row: Row, page: RowPage): Slot {
  const cells: Partial<Record<ReadingKind, Cell>> = {};
  page.columns.forEach((kind, place) => {
    const cell = row.cells[place];
    if (cell) cells[kind] = cell;
  });
  return { row, cells, reasons: page.reasons, stale: false };
}

/** The rows of a page in the order of the core. */
export function asSorted(page: RowPage): Slot[] {
  return page.rows.map((row) => slotOf(row, page));
}

/** Rows that were shown, and from which place on. */
export interface Shown {
  offset: number;
  slots: readonly Slot[];
}

/**
 * The rows of a page with those that were shown before at the places they had: new figures, old order. A row that
 * the page no longer holds keeps its last figures and is marked stale. Rows that are new to this part of the table
 * take the places that are free, in the order of the core.
 */
export function held(page: RowPage, offset: number, before: Shown): { slots: Slot[]; moved: boolean } {
  const fresh = asSorted(page);
  const byName = new Map(fresh.map((slot) => [slot.row.namespace, slot]));
  const placed: (Slot | undefined)[] = fresh.map(() => undefined);
  const taken = new Set<string>();
  before.slots.forEach((slot, index) => {
    const place = before.offset + index - offset;
    if (place < 0 || place >= placed.length) return;
    const name = slot.row.namespace;
    placed[place] = byName.get(name) ?? { ...slot, stale: true };
    taken.add(name);
  });
  const free = fresh.filter(({ row }) => !taken.has(row.namespace));
  let next = 0;
  const slots = placed.map((slot) => slot ?? free[next++]).filter((slot): slot is Slot => slot !== undefined);
  const moved = slots.some((slot, place) => slot.row.namespace !== fresh[place]?.row.namespace);
  return { slots, moved };
}
