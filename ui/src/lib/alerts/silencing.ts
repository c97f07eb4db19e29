// Silences: which alerts one covers, by the core's own rules, and when it ends.
import type { AlertView } from '../bindings/AlertView';
import type { Matcher } from '../bindings/Matcher';
import type { Timestamp } from '../bindings/Timestamp';

/** The matchers that fit exactly this alert. */
export function matchersOf(view: AlertView): Matcher[] {
  const is = (label: string, value: string): Matcher => ({ label, matching: 'is', value });
  return [
    is('deployment', view.deployment_name),
    is('rule', view.alert.rule),
    ...Object.entries(view.alert.labels).map(([label, value]) => is(label, value)),
  ];
}

/** A matcher that says nothing yet. */
export const EMPTY_MATCHER: Matcher = { label: '', matching: 'is', value: '' };

/** Labels that are offered; an alert's own may be typed as well. */
export const LABELS = ['rule', 'severity', 'deployment', 'namespace', 'tenant', 'layer', 'node'];

/** How a value is compared, in words. */
export const MATCHING: { value: Matcher['matching']; name: string }[] = [
  { value: 'is', name: 'is' },
  { value: 'is_not', name: 'is not' },
  { value: 'like', name: 'is like' },
];

/** The matchers of a form that say something. */
export function written(matchers: readonly Matcher[]): Matcher[] {
  return matchers
    .map(({ label, matching, value }) => ({ label: label.trim(), matching, value: value.trim() }))
    .filter(({ label, value }) => label !== '' && value !== '');
}

function like(value: string, pattern: string): boolean {
  const literal = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`, 's').test(value);
}

/** Whether a matcher fits an alert. */
export function fits({ label, matching, value }: Matcher, view: AlertView): boolean {
  const named: Record<string, string[]> = {
    rule: [view.alert.rule],
    alertname: [view.alert.rule],
    severity: [view.severity],
    deployment: [view.deployment_name, view.alert_ref.deployment],
  };
  const own = view.alert.labels[label];
  const values = named[label] ?? (own === undefined ? [] : [own]);
  if (matching === 'is') return values.includes(value);
  if (matching === 'is_not') return !values.includes(value);
  return values.some((one) => like(one, value));
}

/** How many of these alerts fire or are pending and would be covered. */
export function covered(matchers: readonly Matcher[], views: readonly AlertView[]): number {
  if (matchers.length === 0) return 0;
  return views
    .filter(({ alert }) => alert.state === 'firing' || alert.state === 'pending')
    .filter((view) => matchers.every((matcher) => fits(matcher, view))).length;
}

/** A matcher in words: `namespace is sessions`. */
export function matcherInWords({ label, matching, value }: Matcher): string {
  const how = MATCHING.find((known) => known.value === matching)?.name ?? matching;
  return `${label} ${how} ${value}`;
}

/** Ends that are offered. */
export const ENDS = [
  { value: '30m', name: '30 min' },
  { value: '1h', name: '1 h' },
  { value: '4h', name: '4 h' },
  { value: 'morning', name: 'Until 9:00' },
  { value: 'at', name: 'At…' },
] as const;
export type End = (typeof ENDS)[number]['value'];

/** When a silence ends; `null` where the chosen moment says nothing or lies in the past. */
export function endOf(end: End, typed: string, now: Timestamp): Timestamp | null {
  const minutes = { '30m': 30, '1h': 60, '4h': 240 }[end as string];
  if (minutes !== undefined) return now + minutes * 60_000;
  if (end === 'morning') {
    const morning = new Date(now);
    morning.setHours(9, 0, 0, 0);
    if (morning.getTime() <= now) morning.setDate(morning.getDate() + 1);
    return morning.getTime();
  }
  const at = new Date(typed).getTime();
  return Number.isFinite(at) && at > now ? at : null;
}

/** A moment as a field of date and time takes it, in local time and whole minutes. */
export function forField(at: Timestamp): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}
