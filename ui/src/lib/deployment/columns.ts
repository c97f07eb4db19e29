// The columns of the namespace table: what they show, which are shown, and how wide they are.
import type { ReadingKind } from '../bindings/ReadingKind';
import type { RowSort } from '../bindings/RowSort';
import { store, storedText } from '../state/stored';

/** A column: its title, what it sorts by, and which way is first when its header is clicked. */
export interface Column {
  id: ColumnId;
  title: string;
  sort: RowSort | null;
  descending: boolean;
  numeric: boolean;
  explained: string;
  /** The least it needs, in pixels. */
  width: number;
  /** How much it takes of the room that is left in a wide table; 0 keeps its width. */
  grows: number;
  /** The place in which it gives way where there is no room for all, the first first; `null` never does. */
  yields: number | null;
  /** Whether it is shown until somebody chooses. */
  usual: boolean;
}

export type ColumnId =
  | 'name'
  | 'alerts'
  | 'hit'
  | 'spark'
  | 'lookups'
  | 'misses'
  | 'p99'
  | 'memory'
  | 'keys'
  | 'evictions'
  | 'expirations'
  | 'ttl'
  | 'nottl';

const reading = (kind: ReadingKind): RowSort => ({ by: 'reading', kind });

const figure = (
  id: ColumnId,
  title: string,
  kind: ReadingKind,
  explained: string,
  more: Partial<Column> = {},
): Column => ({
  id,
  title,
  sort: reading(kind),
  descending: true,
  numeric: true,
  explained,
  width: 58,
  grows: 0.7,
  yields: null,
  usual: true,
  ...more,
});

export const COLUMNS: readonly Column[] = [
  {
    id: 'name',
    title: 'Namespace',
    sort: { by: 'name' },
    descending: false,
    numeric: false,
    explained: 'Keys that one template names.',
    width: 168,
    grows: 3,
    yields: null,
    usual: true,
  },
  {
    id: 'alerts',
    title: 'Alerts',
    sort: null,
    descending: false,
    numeric: false,
    explained: 'Alerts about it that fire and that nobody looks after, with the shape of the worst.',
    width: 40,
    grows: 0,
    yields: null,
    usual: true,
  },
  {
    id: 'hit',
    title: 'Hit rate',
    sort: reading('hit_rate'),
    descending: false,
    numeric: false,
    explained:
      'Hits ÷ lookups in the window, with the half width of its 95 % interval where it is sampled.\nThe scale beside it runs 0, 90, 99, 99.9 %; the tick is the target.',
    width: 94,
    grows: 0,
    yields: null,
    usual: true,
  },
  {
    id: 'spark',
    title: '15 min',
    sort: null,
    descending: false,
    numeric: false,
    explained: 'Hit rate of the last 15 minutes; the dotted line is the target.',
    width: 66,
    grows: 1.6,
    yields: 4,
    usual: true,
  },
  figure('lookups', 'Lookups/s', 'lookups_per_second', 'Hits and misses a second, our own taken out.'),
  figure('misses', 'Misses/s', 'misses_per_second', 'Lookups a second that found no key, and why.', {
    width: 98,
    grows: 1,
  }),
  figure(
    'p99',
    'p99',
    'latency_p99_seconds',
    '99th percentile of GET-like commands as a client feels them.',
    { width: 54 },
  ),
  figure(
    'memory',
    'Memory',
    'memory_bytes',
    'Bytes of its keys; the line below is their share of used memory.',
    { width: 62, grows: 0.8 },
  ),
  figure('keys', 'Keys', 'keys', 'Number of keys.', { width: 50, yields: 2 }),
  figure(
    'evictions',
    'Evict/s',
    'evictions_per_second',
    'Keys a second that were removed because memory was short.',
    { width: 46, grows: 0.6, yields: 3 },
  ),
  figure('expirations', 'Expire/s', 'expirations_per_second', 'Keys a second whose time to live ran out.', {
    width: 54,
    grows: 0.6,
    usual: false,
  }),
  figure(
    'ttl',
    'TTL / documented',
    'ttl_p50_seconds',
    'Median time left of the keys that have one, and the documented lifetime.',
    { numeric: false, width: 108, grows: 1, yields: 1 },
  ),
  figure('nottl', 'No TTL', 'no_ttl_ratio', 'Share of its keys that never expire.', {
    width: 54,
    usual: false,
  }),
];

/** Whether two sorts are the same. */
export function sameSort(one: RowSort | null, other: RowSort): boolean {
  return one !== null && JSON.stringify(one) === JSON.stringify(other);
}

/** How a table of some width lays its columns out. */
export interface Layout {
  columns: readonly Column[];
  /** The value of `grid-template-columns`. */
  template: string;
  /** What all of them need at least. */
  least: number;
  gap: number;
  /** Whether there is room for more than the bare figures: whiskers, templates. */
  wide: boolean;
}

const PADDING = 24;
const WIDE = 1000;
const ROOMY = 1200;
/** What a wide table gives a column at least, where it differs. */
const WIDER: Partial<Record<ColumnId, number>> = { hit: 144, name: 220, alerts: 44 };

/**
 * Lays the columns out. Those that somebody chose are all shown, and the table scrolls sideways where they need more
 * than there is; without a choice columns give way until the others fit.
 */
export function layoutOf(width: number, chosen: ReadonlySet<ColumnId> | null): Layout {
  const wide = width >= WIDE;
  const roomy = width >= ROOMY;
  const gap = roomy ? 16 : wide ? 10 : 6;
  const widthOf = (column: Column) =>
    (roomy || (wide && column.id === 'hit') ? WIDER[column.id] : undefined) ?? column.width;
  const leastOf = (columns: readonly Column[]) =>
    columns.reduce((sum, column) => sum + widthOf(column), PADDING + gap * (columns.length - 1));
  let columns = COLUMNS.filter((column) =>
    chosen ? column.id === 'name' || chosen.has(column.id) : column.usual,
  );
  if (chosen === null) {
    const yielding = columns.filter(({ yields }) => yields !== null);
    yielding.sort((a, b) => (a.yields ?? 0) - (b.yields ?? 0));
    for (const { id } of yielding) {
      if (leastOf(columns) <= width) break;
      columns = columns.filter((column) => column.id !== id);
    }
  }
  const template = columns
    .map((column) => {
      const least = `${widthOf(column)}px`;
      if (column.id === 'name') return `minmax(${least}, ${roomy ? column.grows : 1}fr)`;
      return roomy && column.grows > 0 ? `minmax(${least}, ${column.grows}fr)` : least;
    })
    .join(' ');
  return { columns, template, least: leastOf(columns), gap, wide };
}

const KEY = 'cachescope.columns';

/** The columns that somebody chose in this window or an earlier one; `null` where nobody did. */
export function storedColumns(): ReadonlySet<ColumnId> | null {
  const text = storedText(KEY);
  if (text === '') return null;
  const named = new Set(text.split(' '));
  return new Set(COLUMNS.map(({ id }) => id).filter((id) => named.has(id)));
}

/** Keeps a choice; `null` goes back to the usual ones. */
export function storeColumns(chosen: ReadonlySet<ColumnId> | null): void {
  store(KEY, chosen === null ? '' : [...chosen].join(' '));
}
