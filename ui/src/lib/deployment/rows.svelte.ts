import type { DeploymentId } from '../bindings/DeploymentId';
import type { RowPage } from '../bindings/RowPage';
import type { RowQuery } from '../bindings/RowQuery';
import type { RowSort } from '../bindings/RowSort';
import type { Window } from '../bindings/Window';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';
import { asSorted, held, type Slot } from './order';
import { Pins } from './pins.svelte';
import type { Slice } from './slice';

/** How often spark lines are asked for; in between the known ones stay. */
const SPARKS_EVERY_MS = 12_000;
/** How soon rows that were scrolled into view may get theirs. */
const NEW_SPARKS_EVERY_MS = 1_000;
/** Spark lines of this many namespaces are remembered. */
const SPARKS_KEPT = 400;

/**
 * The namespace table: which part of it is wanted, and what the core answered. One request is on its way at a time;
 * wishes that come meanwhile are served by one more.
 */
export class NamespaceRows {
  filter = $state('');
  sort = $state.raw<RowSort>({ by: 'trouble' });
  descending = $state(true);
  /** Rows keep their place while this holds: someone is in the table. */
  hold = $state(false);
  page = $state.raw<RowPage | null>(null);
  slots = $state.raw<Slot[]>([]);
  offset = $state(0);
  /** Whether rows stand elsewhere than the core would put them now. */
  moved = $state(false);
  trouble = $state.raw<WireError | null>(null);
  /** What the core can't read in the filter; the rows of the filter before stay. */
  misread = $state.raw<WireError | null>(null);
  pins: Pins;
  // Replaced as a whole, never changed in place: a reactive map would cost a signal a namespace.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  sparks = $state.raw<ReadonlyMap<string, readonly (number | null)[]>>(new Map());

  #deployment: DeploymentId;
  #window: Window = '1m';
  #slice: Slice = { offset: 0, limit: 40 };
  #asking = false;
  #again = false;
  #sparksAt = 0;
  #order = '';

  constructor(deployment: DeploymentId) {
    this.#deployment = deployment;
    this.pins = new Pins(deployment);
  }

  /** Asks for the rows that are in view now. */
  ask(window: Window, slice: Slice): void {
    this.#window = window;
    this.#slice = slice;
    if (this.#asking) this.#again = true;
    else void this.#run();
  }

  /** Sorts by something else, or the other way round. */
  sortBy(sort: RowSort, descending: boolean): void {
    this.sort = sort;
    this.descending = descending;
  }

  /** Lets rows go where they belong, at once. */
  release(): void {
    this.hold = false;
    this.#order = '';
    this.ask(this.#window, this.#slice);
  }

  async #run(): Promise<void> {
    this.#asking = true;
    do {
      this.#again = false;
      const query = this.#query();
      try {
        this.#take(await request({ request: 'rows', query }), query);
        this.trouble = null;
        this.misread = null;
      } catch (thrown) {
        const error = asWireError(thrown);
        const typed = error.code === 'bad_input';
        this.misread = typed ? error : null;
        this.trouble = typed ? null : error;
      }
    } while (this.#again);
    this.#asking = false;
  }

  #query(): RowQuery {
    const age = Date.now() - this.#sparksAt;
    const missing = this.slots.some(({ row }) => !this.sparks.has(row.namespace));
    return {
      deployment: this.#deployment,
      window: this.#window,
      filter: this.filter.trim(),
      sort: this.sort,
      descending: this.descending,
      ...this.#slice,
      pinned: [...this.pins.list],
      sparks: age >= (missing ? NEW_SPARKS_EVERY_MS : SPARKS_EVERY_MS),
    };
  }

  #take(page: RowPage, query: RowQuery): void {
    const order = JSON.stringify([query.filter, query.sort, query.descending]);
    const current = JSON.stringify([this.filter.trim(), this.sort, this.descending]);
    if (order !== current) {
      this.#again = true; // the answer to a question that is no longer asked
      return;
    }
    if (query.sparks) this.#keepSparks(page);
    if (this.hold && order === this.#order) {
      const { slots, moved } = held(page, query.offset, { offset: this.offset, slots: this.slots });
      this.slots = slots;
      this.moved ||= moved; // once said, it is said until rows are let go: no flicker
    } else {
      this.slots = asSorted(page);
      this.moved = false;
    }
    this.#order = order;
    this.offset = query.offset;
    this.page = page;
  }

  #keepSparks(page: RowPage): void {
    // eslint-disable-next-line svelte/prefer-svelte-reactivity
    const sparks = new Map(this.sparks);
    for (const { namespace, spark } of page.rows) {
      sparks.delete(namespace); // back in at the end: the oldest stand first and go first
      sparks.set(namespace, spark);
    }
    for (const namespace of sparks.keys()) {
      if (sparks.size <= SPARKS_KEPT) break;
      sparks.delete(namespace);
    }
    this.sparks = sparks;
    this.#sparksAt = Date.now();
  }
}
