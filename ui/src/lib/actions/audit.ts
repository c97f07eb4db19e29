// Rows of the audit in words.
import { grouped } from '../format/numbers';
import { shortHash } from './words';

const EVENTS: Record<string, string> = {
  previewed: 'previewed',
  approved: 'approved',
  refused: 'refused',
  started: 'started',
  paused: 'paused',
  resumed: 'resumed',
  halted: 'halted',
  interrupted: 'interrupted',
  cancelled: 'stopped',
  finished: 'finished',
  wave: 'wave done',
  undo: 'undo begun',
  undone: 'undone',
  armed: 'armed',
  disarmed: 'locked',
};

/** An event in words: "purge.started" is "Purge started". One that is not known stands as it is. */
export function eventInWords(event: string): string {
  const [subject, happened] = event.split('.');
  if (!subject || !happened) return event;
  const words = EVENTS[happened] ?? happened.replaceAll('_', ' ');
  return `${subject.charAt(0).toUpperCase()}${subject.slice(1)} ${words}`;
}

/** Counts and results as a short list: `{"keys":12480}` is "keys 12,480". What can't be read stands as it is. */
export function detailsInWords(details: string): string {
  let read: unknown;
  try {
    read = JSON.parse(details);
  } catch {
    return details;
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read)) return details;
  return Object.entries(read)
    .filter(([, value]) => value !== null && value !== '' && value !== 0)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${valueInWords(value)}`)
    .join(', ');
}

function valueInWords(value: unknown): string {
  if (typeof value === 'number')
    return Number.isInteger(value) ? grouped(value) : String(Number(value.toPrecision(3)));
  if (typeof value === 'string') return /^[0-9a-f]{64}$/.test(value) ? shortHash(value) : value;
  return JSON.stringify(value);
}
