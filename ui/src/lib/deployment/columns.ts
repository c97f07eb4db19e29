// The columns of the namespace table, in order.
import type { ReadingKind } from '../bindings/ReadingKind';
import type { RowSort } from '../bindings/RowSort';

/** A column: its title, what it sorts by, and which way is first when its header is clicked. */
export interface Column {
  id: string;
  title: string;
  sort: RowSort | null;
  descending: boolean;
  numeric: boolean;
  explained: string;
}

const reading = (kind: ReadingKind): RowSort => ({ by: 'reading', kind });

export const COLUMNS: Column[] = [
  {
    id: 'name',
    title: 'Namespace',
    sort: { by: 'name' },
    descending: false,
    numeric: false,
    explained: 'Keys that one template names.',
  },
  {
    id: 'alerts',
    title: 'Alerts',
    sort: null,
    descending: false,
    numeric: false,
    explained: 'Alerts about it that fire and that nobody looks after, with the shape of the worst.',
  },
  {
    id: 'hit',
    title: 'Hit rate',
    sort: reading('hit_rate'),
    descending: false,
    numeric: false,
    explained:
      'Hits ÷ lookups in the window, with the half width of its 95 % interval where it is sampled.\nThe scale beside it runs 0, 90, 99, 99.9 %; the tick is the target.',
  },
  {
    id: 'spark',
    title: '15 min',
    sort: null,
    descending: false,
    numeric: false,
    explained: 'Hit rate of the last 15 minutes; the dotted line is the target.',
  },
  {
    id: 'lookups',
    title: 'Lookups/s',
    sort: reading('lookups_per_second'),
    descending: true,
    numeric: true,
    explained: 'Hits and misses a second, our own taken out.',
  },
  {
    id: 'misses',
    title: 'Misses/s',
    sort: reading('misses_per_second'),
    descending: true,
    numeric: true,
    explained: 'Lookups a second that found no key, and why.',
  },
  {
    id: 'p99',
    title: 'p99',
    sort: reading('latency_p99_seconds'),
    descending: true,
    numeric: true,
    explained: '99th percentile of GET-like commands as a client feels them.',
  },
  {
    id: 'memory',
    title: 'Memory',
    sort: reading('memory_bytes'),
    descending: true,
    numeric: true,
    explained: 'Bytes of its keys; the bar is its share of used memory.',
  },
  {
    id: 'keys',
    title: 'Keys',
    sort: reading('keys'),
    descending: true,
    numeric: true,
    explained: 'Number of keys.',
  },
  {
    id: 'evictions',
    title: 'Evict/s',
    sort: reading('evictions_per_second'),
    descending: true,
    numeric: true,
    explained: 'Keys a second that were removed because memory was short.',
  },
  {
    id: 'ttl',
    title: 'TTL / documented',
    sort: reading('ttl_p50_seconds'),
    descending: true,
    numeric: false,
    explained: 'Median time left of the keys that have one, and the documented lifetime.',
  },
];

/** Whether two sorts are the same. */
export function sameSort(one: RowSort | null, other: RowSort): boolean {
  return one !== null && JSON.stringify(one) === JSON.stringify(other);
}
