// A value, its interval, its threshold and what it was before on one scale.
import type { AlertView } from '../bindings/AlertView';

/** Places from 0 to 1 on the scale of an alert; `null` where the figure is not known. */
export interface ValueScale {
  value: number | null;
  interval: { from: number; to: number } | null;
  threshold: number | null;
  before: number | null;
  /** The side that is trouble. */
  trouble: { from: number; to: number } | null;
}

/** The scale around everything that is known, with room at both ends; `null` where there is no value. */
export function scaleOf(view: AlertView): ValueScale | null {
  const { value, low, high } = view.alert;
  if (value === null) return null;
  const before = view.triage?.before ?? null;
  const known = [value, low, high, view.threshold, before].filter((it): it is number => it !== null);
  const least = Math.min(...known);
  const most = Math.max(...known);
  const room = (most - least || Math.abs(most) || 1) * 0.18;
  // A share lies between 0 and 1; nothing else that is judged is negative.
  const from = Math.max(Math.min(0, least), least - room);
  const to = view.unit === 'ratio' ? Math.min(Math.max(1, most), most + room) : most + room;
  const at = (figure: number) => (to === from ? 0.5 : (figure - from) / (to - from));
  const threshold = view.threshold === null ? null : at(view.threshold);
  return {
    value: at(value),
    interval: low !== null && high !== null && high > low ? { from: at(low), to: at(high) } : null,
    threshold,
    before: before === null ? null : at(before),
    trouble: threshold === null ? null : view.above ? { from: threshold, to: 1 } : { from: 0, to: threshold },
  };
}
