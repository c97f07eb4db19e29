// Quiet hours as people set them: clock times and days.
import type { QuietHours } from '../bindings/QuietHours';

/** Days by their number, Monday is 0. */
export const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

const two = (value: number) => String(value).padStart(2, '0');

/** Minutes of a day as a clock time: "22:00". */
export function clockTime(minute: number): string {
  return `${two(Math.floor(minute / 60) % 24)}:${two(minute % 60)}`;
}

/** A clock time as minutes of a day; `null` for what is none. */
export function minuteOf(text: string): number | null {
  const found = /^(\d{1,2}):(\d{2})$/.exec(text.trim());
  if (!found) return null;
  const [hours, minutes] = [Number(found[1]), Number(found[2])];
  return hours < 24 && minutes < 60 ? hours * 60 + minutes : null;
}

/** Days in words: runs of three and more are joined, as in "Mon to Fri". */
export function daysInWords(days: readonly number[]): string {
  const sorted = [...new Set(days)].filter((day) => day in DAYS).sort((one, other) => one - other);
  if (sorted.length === 7) return 'every day';
  const runs: number[][] = [];
  for (const day of sorted) {
    const last = runs.at(-1);
    if (last?.at(-1) === day - 1) last.push(day);
    else runs.push([day]);
  }
  const words = runs.flatMap((run) => {
    const named = run.map((day) => DAYS[day] ?? '');
    return run.length > 2 ? [`${named[0]} to ${named.at(-1)}`] : named;
  });
  return words.length === 0 ? 'on no day' : words.join(', ');
}

/** What the quiet hours do, in a sentence. */
export function quietSentence({ on, from_minute, to_minute, days, except_critical }: QuietHours): string {
  if (!on) return 'You are told at any hour.';
  const next = to_minute <= from_minute ? ' of the next day' : '';
  const critical = except_critical
    ? 'Critical alerts are told all the same.'
    : 'Even critical alerts wait until then.';
  return `Notifications wait from ${clockTime(from_minute)} to ${clockTime(to_minute)}${next}, ${daysInWords(days)}. ${critical}`;
}
