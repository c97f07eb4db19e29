// Alerts in words and shapes: never as colour alone.
import type { AlertCounts } from '../bindings/AlertCounts';
import type { AlertView } from '../bindings/AlertView';
import type { MarkKind } from '../bindings/MarkKind';
import type { MissCause } from '../bindings/MissCause';
import type { Severity } from '../bindings/Severity';
import type { Timestamp } from '../bindings/Timestamp';
import type { Unit } from '../bindings/Unit';
import { NO_FIGURE, grouped, show } from '../format/numbers';
import { span } from '../format/time';
import type { Status } from '../state/status';

/** How loud a firing alert is. */
export const SEVERITY: Record<Severity, Status> = {
  critical: { shape: 'triangle', tone: 'crit', word: 'critical' },
  warning: { shape: 'diamond', tone: 'warn', word: 'warning' },
  info: { shape: 'square', tone: 'idle', word: 'info' },
};

/** How an alert stands that does not call for anybody. */
export const STANDING = {
  pending: { shape: 'dashed', tone: 'idle', word: 'pending' },
  resolved: { shape: 'circle', tone: 'ok', word: 'resolved' },
  acknowledged: { shape: 'half', tone: 'idle', word: 'acknowledged' },
  silenced: { shape: 'bar', tone: 'idle', word: 'silenced' },
} as const satisfies Record<string, Status>;

/** What nobody judges is no trouble, and no all-clear either. */
export const NOTHING_FIRES: Status = { shape: 'ring', tone: 'idle', word: 'none firing' };

/** Whether an alert fires and nobody looks after it yet. */
export function isLoud(view: AlertView): boolean {
  return view.alert.state === 'firing' && view.acknowledged === null && view.silenced_by === null;
}

/** Whether an alert fires, but was acknowledged or silenced. */
export function isQuiet(view: AlertView): boolean {
  return view.alert.state === 'firing' && !isLoud(view);
}

/** The shape, tone and word of an alert. */
export function statusOf(view: AlertView): Status {
  if (view.alert.state === 'pending') return STANDING.pending;
  if (view.alert.state !== 'firing') return STANDING.resolved;
  if (view.silenced_by !== null) return STANDING.silenced;
  if (view.acknowledged !== null) return STANDING.acknowledged;
  return SEVERITY[view.severity];
}

/** The worst of some counts: what the side bar shows. */
export function worstOf(counts: AlertCounts): Status {
  if (counts.critical > 0) return SEVERITY.critical;
  if (counts.warning > 0) return SEVERITY.warning;
  if (counts.info > 0) return SEVERITY.info;
  if (counts.quiet > 0) return STANDING.acknowledged;
  if (counts.pending > 0) return STANDING.pending;
  return NOTHING_FIRES;
}

/** Alerts that fire and that nobody looks after. */
export function loudCount(counts: AlertCounts): number {
  return counts.critical + counts.warning + counts.info;
}

/** Counts of several deployments together. */
export function sumOf(all: readonly AlertCounts[]): AlertCounts {
  const sum = { critical: 0, warning: 0, info: 0, pending: 0, quiet: 0, failing: 0 };
  for (const counts of all)
    for (const name of Object.keys(sum) as (keyof AlertCounts)[]) sum[name] += counts[name];
  return sum;
}

/** Counts in words: "1 critical, 2 warnings, 1 pending"; "none firing" where there is nothing. */
export function countsInWords(counts: AlertCounts): string {
  const words: [number, string, string][] = [
    [counts.critical, 'critical', 'critical'],
    [counts.warning, 'warning', 'warnings'],
    [counts.info, 'info', 'info'],
    [counts.pending, 'pending', 'pending'],
    [counts.quiet, 'acknowledged or silenced', 'acknowledged or silenced'],
    [counts.failing, 'rule can’t be judged', 'rules can’t be judged'],
  ];
  const parts = words
    .filter(([count]) => count > 0)
    .map(([count, one, several]) => `${count} ${count === 1 ? one : several}`);
  return parts.length === 0 ? 'none firing' : parts.join(', ');
}

/** A figure whose unit may be unknown, because a query does not say it. */
export function showAny(unit: Unit | null, value: number | null | undefined): string {
  if (value == null) return NO_FIGURE;
  if (unit !== null) return show(unit, value);
  return Math.abs(value) < 1 ? String(Number(value.toPrecision(3))) : grouped(value);
}

/** The alert's own head, as its strategy says it: "Sessions: hit rate below its target". */
export function titleOf(view: AlertView): string {
  if (view.subject === '') return view.summary;
  return `${view.subject}: ${lowerFirst(view.summary)}`;
}

function lowerFirst(text: string): string {
  // Abbreviations such as "GET" and "DB" stay.
  return /^\p{Lu}\p{Ll}/u.test(text) ? (text[0] ?? '').toLowerCase() + text.slice(1) : text;
}

/** Everything in sentences: the core's, or what is known without triage. */
export function sentenceOf(view: AlertView, now: Timestamp): string {
  if (view.triage && view.triage.sentence !== '') return unbroken(view.triage.sentence);
  const { alert, threshold, unit, above } = view;
  const value = alert.value === null ? '' : ` ${showAny(unit, alert.value)}`;
  const lasts = alert.state === 'resolved' ? '' : ` for ${span(Math.max(0, (now - alert.active_at) / 1000))}`;
  const limit = threshold === null ? '' : `, ${above ? 'limit' : 'target'} ${showAny(unit, threshold)}`;
  const figures = value === '' && lasts === '' ? '' : `:${value}${lasts}${limit}`;
  return `${titleOf(view)}${figures}. ${alert.reason}`.trim();
}

/** A figure and its unit stay on one line. */
export function unbroken(text: string): string {
  return text.replace(/(\d) (?=(?:%|[kMGTP]?B|µs|ms|s|min|h|d|[kMG]?\/s)(?![\p{L}\p{N}]))/gu, '$1\u00a0');
}

/** The first sentence, which is set apart, and the others. */
export function splitHead(sentence: string): { head: string; rest: string } {
  const found = /^(.+?[.!?])\s+(?=[\p{Lu}\p{N}“"])(.*)$/su.exec(sentence);
  return found ? { head: found[1] ?? '', rest: found[2] ?? '' } : { head: sentence, rest: '' };
}

/** How an alert stands and since when: "critical for 6 min", "pending for 40 s", "resolved 5 min ago". */
export function standsFor(view: AlertView, now: Timestamp): { word: string; since: string } {
  const lasts = (at: Timestamp) => span(Math.max(0, Math.floor((now - at) / 1000)));
  const { alert } = view;
  const { word } = statusOf(view);
  if (alert.state === 'resolved')
    return { word, since: `${lasts(alert.resolved_at ?? alert.active_at)} ago` };
  return { word, since: `for ${lasts(alert.active_at)}` };
}

/** Value against threshold, short: "71.3 % · target 95 %". */
export function againstThreshold(view: AlertView): string {
  const value = showAny(view.unit, view.alert.value);
  if (view.threshold === null) return value;
  return `${value} · ${view.above ? 'limit' : 'target'} ${showAny(view.unit, view.threshold).replace('.0', '')}`;
}

/** What a cause of misses means, for keys. */
export const CAUSE_WORDS: Record<MissCause, string> = {
  evicted: 'evicted before their time to live',
  expired: 'their time to live ran out',
  deleted: 'somebody deleted them',
  flushed: 'their database was flushed',
  cold: 'not there before',
  unknown: 'cause not told',
};

/** What was done, in a word. */
export const MARK_WORDS: Record<MarkKind, string> = {
  deploy: 'deploy',
  config: 'setting',
  purge: 'purge',
  warm: 'warm-up',
  note: 'note',
};

/** How far a moment is from another: "11 s before", "at the same second". */
export function distance(at: Timestamp, from: Timestamp): string {
  const seconds = Math.round((at - from) / 1000);
  if (seconds === 0) return 'at the same second';
  return `${span(Math.abs(seconds))} ${seconds < 0 ? 'before' : 'after'}`;
}
