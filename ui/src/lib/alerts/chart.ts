// What an alert's chart shows beside its line.
import type { AlertView } from '../bindings/AlertView';
import type { Mark } from '../bindings/Mark';
import type { ChartEvent } from '../charts/plot';
import { RANGES } from '../deployment/charts';
import { MARK_WORDS } from './words';

/** The shortest span of charts in which the onset and as much time before it can be seen. */
export function chartSecondsOf({ alert, triage }: AlertView, now = Date.now()): number {
  const began = Math.min(alert.active_at, triage?.onset ?? alert.active_at);
  const wanted = ((now - began) / 1000) * 1.5;
  const fitting = RANGES.find(({ value }) => Number(value) >= wanted);
  return Number((fitting ?? RANGES[RANGES.length - 1] ?? RANGES[0]).value);
}

/** The longest words that a chart has room for. */
const LONGEST = 12;

/** A mark's words in a chart, where there is little room: "deploy 4f21c8", "warm-up". */
export function markInChart({ kind, text, at }: Mark): ChartEvent {
  const short = text.length <= LONGEST;
  const name =
    kind === 'note' ? (short ? text : 'note') : short ? `${MARK_WORDS[kind]} ${text}` : MARK_WORDS[kind];
  return { at, name, colour: '--accent' };
}

/** When the alert began and fired, and what was done near its onset. */
export function eventsOf({ alert, triage }: AlertView): ChartEvent[] {
  const events = (triage?.near ?? []).slice(0, 3).map(markInChart);
  if (alert.fired_at !== null) events.push({ at: alert.fired_at, name: 'fired', colour: '--crit' });
  if (alert.resolved_at !== null) events.push({ at: alert.resolved_at, name: 'resolved', colour: '--ok' });
  return events.sort((one, other) => one.at - other.at);
}
