// Times as people read them: spans, ages and clock times.
import type { Timestamp } from '../bindings/Timestamp';
import type { Window } from '../bindings/Window';

const NBSP = '\u00a0';

const SPANS: [unit: string, seconds: number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/** A span in its largest fitting unit: "41 min", "6.2 d", "24 h", "0.5 s". Up to two days it counts in hours. */
export function span(seconds: number): string {
  if (seconds === 0) return `0${NBSP}s`;
  const [unit, size] =
    SPANS.find(([unit, size]) => seconds >= (unit === 'd' ? size * 2 : size) - size * 0.005) ??
    (['s', 1] as const);
  const value = seconds / size;
  const digits = value < 9.95 && Math.abs(value - Math.round(value)) > 0.05 ? 1 : 0;
  return `${value.toFixed(digits)}${NBSP}${unit}`;
}

/** How long ago, from two timestamps in milliseconds; never in the future. */
export function ago(at: Timestamp, now: Timestamp): string {
  const seconds = Math.max(0, Math.floor((now - at) / 1000));
  return seconds < 1 ? 'just now' : `${span(seconds)} ago`;
}

const two = (value: number) => String(value).padStart(2, '0');

/** Local wall-clock time with seconds, 24 hours. */
export function clock(at: Timestamp): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A clock time; of another day with the day: "14:02:10", "24 Nov 14:02". */
export function moment(at: Timestamp, now: Timestamp): string {
  const date = new Date(at);
  if (date.toDateString() === new Date(now).toDateString()) return clock(at);
  const month = date.toLocaleString('en-GB', { month: 'short' });
  return `${date.getDate()}${NBSP}${month} ${hourMinute(at)}`;
}

/** Local time in hours and minutes. */
export function hourMinute(at: Timestamp): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Every window with its name, shortest first. */
export const WINDOWS: { window: Window; name: string; seconds: number }[] = [
  { window: '10s', name: `10${NBSP}s`, seconds: 10 },
  { window: '1m', name: `1${NBSP}min`, seconds: 60 },
  { window: '5m', name: `5${NBSP}min`, seconds: 300 },
  { window: '15m', name: `15${NBSP}min`, seconds: 900 },
  { window: '1h', name: `1${NBSP}h`, seconds: 3_600 },
  { window: '24h', name: `24${NBSP}h`, seconds: 86_400 },
];
