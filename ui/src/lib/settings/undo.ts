// Retention and limits of undo files as people set them.
import type { UndoSettings } from '../bindings/UndoSettings';
import { show } from '../format/numbers';

/** Bytes of what is typed as one. */
export const GIGABYTE = 2 ** 30;

/** A typed number above zero, with a point or a comma; `null` for what is none. */
export function amount(text: string): number | null {
  const value = Number(text.trim().replace(',', '.'));
  return text.trim() !== '' && Number.isFinite(value) && value > 0 ? value : null;
}

/** What the settings do, in two sentences. */
export function undoSentence({ keep_days, most_bytes_of_a_run, most_bytes }: UndoSettings): string {
  const days = keep_days === 1 ? '1 day' : `${keep_days} days`;
  return (
    `A purge can be undone for ${days}, or until all files together pass ${show('bytes', most_bytes)}: then the oldest go first. ` +
    `A run that would keep more than ${show('bytes', most_bytes_of_a_run)} halts, or is refused beforehand.`
  );
}
