// A strategy's promises beside what is observed: times to live and sizes, a verdict a line.
import type { Cell } from '../bindings/Cell';
import type { Finding } from '../bindings/Finding';
import type { ReadingKind } from '../bindings/ReadingKind';
import type { Row } from '../bindings/Row';
import type { RowPage } from '../bindings/RowPage';
import type { SizingLine } from '../bindings/SizingLine';
import type { Status } from '../state/status';

/** Codes of findings about times to live, and about sizes. */
const TTL_CODES = ['no-ttl', 'ttl-beyond'];
const SIZE_CODES = ['larger-than-sized', 'smaller-than-sized'];

const OK: Status = { shape: 'circle', tone: 'ok', word: 'as documented' };
const OFF: Status = { shape: 'diamond', tone: 'warn', word: 'differs' };
const NONE: Status = { shape: 'bar', tone: 'idle', word: 'not documented' };
const UNKNOWN: Status = { shape: 'ring', tone: 'idle', word: 'not known' };
const EMPTY: Status = { shape: 'ring', tone: 'idle', word: 'no keys' };

/** How something stands to the document, with the sentence behind it. */
export interface Verdict {
  status: Status;
  sentence: string;
}

export type Cells = Partial<Record<ReadingKind, Cell>>;

/** The cells of a row by what they are. */
export function cellsOf(row: Row, page: Pick<RowPage, 'columns'>): Cells {
  const cells: Cells = {};
  page.columns.forEach((kind, place) => {
    const cell = row.cells[place];
    if (cell) cells[kind] = cell;
  });
  return cells;
}

/** Whether keys live as long as the document says. The core judges; where it found nothing, it has to have looked. */
export function ttlVerdict(
  row: Pick<Row, 'namespace' | 'documented_ttl_seconds'>,
  cells: Cells,
  findings: readonly Finding[],
): Verdict {
  const mine = findings.filter(
    ({ code, namespace }) => namespace === row.namespace && TTL_CODES.includes(code),
  );
  if (mine.length > 0) return { status: OFF, sentence: mine.map(({ summary }) => summary).join('\n') };
  if (row.documented_ttl_seconds === null)
    return { status: NONE, sentence: 'The document gives no time to live for it.' };
  if (cells.keys?.value === 0) return { status: EMPTY, sentence: 'The scan found no key of it.' };
  if (cells.ttl_p50_seconds?.value === undefined && cells.no_ttl_ratio?.value === undefined)
    return { status: UNKNOWN, sentence: 'Times to live come from a scan, and none has finished.' };
  // What a scan has shown counts before the core has made a finding of it, too.
  if ((cells.no_ttl_ratio?.value ?? 0) > 0)
    return { status: OFF, sentence: 'Some of its keys have no time to live.' };
  return { status: OK, sentence: 'The scan found no key without a time to live or with a longer one.' };
}

/** What the namespaces of a line take together. */
export interface Measured {
  bytes: number;
  low: number;
  high: number;
  keys: number | null;
}

/** The sum over a line's namespaces; `null` where one of them is not known. */
export function measured(line: SizingLine, byTemplate: ReadonlyMap<string, Cells>): Measured | null {
  if (line.templates.length === 0) return null;
  const sum: Measured = { bytes: 0, low: 0, high: 0, keys: 0 };
  for (const template of line.templates) {
    const { memory_bytes: memory, keys } = byTemplate.get(template) ?? {};
    if (memory?.value === undefined) return null;
    sum.bytes += memory.value;
    sum.low += memory.low ?? memory.value;
    sum.high += memory.high ?? memory.value;
    sum.keys = sum.keys === null || keys?.value === undefined ? null : sum.keys + keys.value;
  }
  return sum;
}

/** Whether a line takes what the document expects. */
export function sizeVerdict(line: SizingLine, found: Measured | null, findings: readonly Finding[]): Verdict {
  const mine = findings.find(
    ({ code, namespace }) => SIZE_CODES.includes(code) && namespace !== '' && line.templates[0] === namespace,
  );
  if (mine)
    return {
      status: { ...OFF, word: mine.code.startsWith('larger') ? 'larger' : 'smaller' },
      sentence: mine.summary,
    };
  if (line.templates.length === 0)
    return { status: UNKNOWN, sentence: 'The document names no namespace for it, so it can’t be measured.' };
  if (found === null) return { status: UNKNOWN, sentence: 'Sizes come from a scan, and none has finished.' };
  return { status: OK, sentence: 'Within what is tolerated around the documented size.' };
}

/** What is off first, then what is not known, then the rest, each as the document has it. */
export function worstFirst<T>(lines: readonly T[], verdict: (line: T) => Verdict): T[] {
  const rank = ({ status }: Verdict) =>
    status.tone === 'warn' ? 0 : status === UNKNOWN ? 1 : status === OK ? 2 : 3;
  return lines
    .map((line, place) => ({ line, place, rank: rank(verdict(line)) }))
    .sort((a, b) => a.rank - b.rank || a.place - b.place)
    .map(({ line }) => line);
}

/** Findings by what they are about: of single namespaces, and of the whole deployment. */
export function byCode(findings: readonly Finding[]): { code: string; name: string; findings: Finding[] }[] {
  const codes = [...new Set(findings.map(({ code }) => code))];
  return codes.map((code) => ({
    code,
    name: NAMES[code] ?? code.replaceAll('-', ' '),
    findings: findings.filter((finding) => finding.code === code),
  }));
}

const NAMES: Record<string, string> = {
  'no-ttl': 'Keys that never expire',
  'ttl-beyond': 'Keys that live too long',
  'stale-version': 'Old versions left over',
  'no-tenant': 'Keys without their tenant',
  'maxmemory-policy': 'Eviction policy',
  'eviction-policy': 'Eviction policy',
  maxmemory: 'Memory limit',
  'memory-imbalance': 'Unequal servers',
  'larger-than-sized': 'Larger than sized',
  'smaller-than-sized': 'Smaller than sized',
  'counters-disagree': 'Counters that disagree',
  'never-filled': 'Misses that are never filled',
  'evicted-too-soon': 'Evicted too soon',
  'expired-too-soon': 'Expired too soon',
  'causes-unknown': 'Causes not known',
  'bad-metric-lines': 'Unreadable metrics',
};
