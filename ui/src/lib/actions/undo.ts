// Whether a run can be undone, in words.
import type { UndoState } from '../bindings/UndoState';

const two = (value: number) => String(value).padStart(2, '0');

/** A day and its time, as lists show them: "4 Dec, 14:21". */
export function dayAndTime(at: number): string {
  const date = new Date(at);
  const month = date.toLocaleString('en-GB', { month: 'short' });
  return `${date.getDate()} ${month}, ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function untilInWords(undo: UndoState): string {
  switch (undo.undo) {
    case 'none':
      return 'nothing kept';
    case 'possible':
      return `kept until ${dayAndTime(undo.until)}`;
    case 'done':
      return `undone ${dayAndTime(undo.at)}`;
    case 'gone':
      return 'file removed';
  }
}
