// What the timeline shows: alerts as spans, marks as points, and the time in which nothing was judged.
import type { AlertRef } from '../bindings/AlertRef';
import type { Mark } from '../bindings/Mark';
import type { Severity } from '../bindings/Severity';
import type { TimelineEntry } from '../bindings/TimelineEntry';
import type { Timestamp } from '../bindings/Timestamp';
import { keyOf } from '../alerts/order';
import { show } from '../format/numbers';
import { MARK_WORDS } from '../alerts/words';

/** An alert from its beginning to its end. */
export interface AlertSpan {
  kind: 'alert';
  key: string;
  ref: AlertRef;
  severity: Severity;
  title: string;
  from: Timestamp;
  /** `null` while it goes on. */
  to: Timestamp | null;
  /** Whether it fired; one that did not is drawn only while it is pending. */
  fired: boolean;
  /** Its value when it was last told, in words; empty where there is none. */
  value: string;
}

/** Something that was done. */
export interface MarkPoint {
  kind: 'mark';
  key: string;
  mark: Mark;
  title: string;
  from: Timestamp;
}

/** A time without judging. */
export interface JudgingGap {
  kind: 'gap';
  key: string;
  from: Timestamp;
  to: Timestamp;
}

export type Item = AlertSpan | MarkPoint | JudgingGap;

/** What an alert is about and its head. Entries of an older version have no subject: their labels stand for it. */
export function titleOfTurn(ref: AlertRef, subject: string, summary: string): string {
  const about = subject || Object.values(ref.labels).join(', ');
  return about === '' ? summary : `${about}: ${summary}`;
}

const words = (mark: Mark) => {
  const kind = MARK_WORDS[mark.kind];
  return mark.kind === 'note' ? mark.text : `${kind[0]?.toUpperCase()}${kind.slice(1)} ${mark.text}`;
};

/** The items of some entries (the latest first, as the core gives them), oldest first. */
export function itemsOf(entries: readonly TimelineEntry[], from: Timestamp): Item[] {
  const items: Item[] = [];
  const open = new Map<string, AlertSpan>();
  for (const entry of [...entries].sort((one, other) => one.at - other.at)) {
    if (entry.kind === 'mark') {
      const { mark } = entry;
      items.push({
        kind: 'mark',
        key: `mark ${mark.id} ${mark.at} ${mark.text}`,
        mark,
        title: words(mark),
        from: mark.at,
      });
    } else if (entry.kind === 'gap') {
      items.push({ kind: 'gap', key: `gap ${entry.at}`, from: entry.at, to: entry.until });
    } else {
      const name = keyOf(entry.alert_ref);
      let span = open.get(name);
      if (!span) {
        // An end without a beginning: it began before the time that is shown.
        const began = entry.turn === 'pending' || entry.turn === 'firing' ? entry.at : from;
        span = {
          kind: 'alert',
          key: `${name} ${began}`,
          ref: entry.alert_ref,
          severity: entry.severity,
          title: titleOfTurn(entry.alert_ref, entry.subject, entry.summary),
          from: began,
          to: null,
          fired: entry.turn === 'resolved',
          value: '',
        };
        open.set(name, span);
        items.push(span);
      }
      if (entry.turn === 'firing') span.fired = true;
      // Of an end it is the value that is fine again.
      if (entry.value !== null && (entry.turn === 'pending' || entry.turn === 'firing'))
        span.value = show(entry.unit ?? 'count', entry.value);
      if (entry.turn === 'resolved' || entry.turn === 'cleared') {
        span.to = entry.at;
        open.delete(name);
      }
    }
  }
  return items.sort((one, other) => one.from - other.from);
}

/** What is drawn: alerts that fired or are pending still, marks and gaps. A threshold passed for a moment is left to the table. */
export function drawn(items: readonly Item[]): Item[] {
  return items.filter((item) => item.kind !== 'alert' || item.fired || item.to === null);
}
