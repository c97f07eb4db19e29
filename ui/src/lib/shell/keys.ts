// The keyboard, in one place: what a key means, and the sheet that teaches it.

export type Action =
  | 'filter'
  | 'down'
  | 'up'
  | 'open'
  | 'back'
  | 'purge'
  | 'warm'
  | 'pin'
  | 'acknowledge'
  | 'silence'
  | 'overview'
  | 'deployment'
  | 'alerts'
  | 'actions'
  | 'layers'
  | 'strategy'
  | 'settings'
  | 'window'
  | 'refresh'
  | 'palette'
  | 'keys';

/** A key, or keys that belong together, with what they do. */
export interface KeyEntry {
  keys: string[];
  does: string;
}

/** Every key, by where it holds. */
export const KEYS: { where: string; entries: KeyEntry[] }[] = [
  {
    where: 'Everywhere',
    entries: [
      { keys: ['Ctrl+K'], does: 'Open or do something by its name' },
      { keys: ['Ctrl+1'], does: 'Overview' },
      { keys: ['Ctrl+2'], does: 'Deployment' },
      { keys: ['Ctrl+3'], does: 'Alerts' },
      { keys: ['Ctrl+4'], does: 'Actions' },
      { keys: ['Ctrl+5'], does: 'Layers' },
      { keys: ['Ctrl+6'], does: 'Strategy' },
      { keys: ['Ctrl+,'], does: 'Settings' },
      { keys: ['Ctrl+Shift+N'], does: 'One more window, on what this one shows' },
      { keys: ['Ctrl+R'], does: 'Read everything again' },
      { keys: ['Esc'], does: 'Close, clear, let go' },
      { keys: ['?'], does: 'These keys' },
    ],
  },
  {
    where: 'In a table',
    entries: [
      { keys: ['/'], does: 'Filter' },
      { keys: ['j', 'k'], does: 'Next row, row before' },
      { keys: ['Enter'], does: 'Open the row' },
      { keys: ['p'], does: 'Purge the row’s keys: opens the plan' },
      { keys: ['w'], does: 'Warm the row’s keys: opens the plan' },
      { keys: ['t'], does: 'Keep the row on top, or let it go' },
    ],
  },
  {
    where: 'On an alert',
    entries: [
      { keys: ['a'], does: 'Acknowledge it' },
      { keys: ['s'], does: 'Silence it' },
    ],
  },
  {
    where: 'In a chart',
    entries: [
      { keys: ['←', '→'], does: 'Move the cursor, in all charts' },
      { keys: ['+', '-'], does: 'Nearer to the cursor, and back' },
      { keys: ['0'], does: 'The whole span again' },
    ],
  },
];

/** The part of a keyboard event that decides. */
export type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey'> &
  Partial<Pick<KeyboardEvent, 'shiftKey'>>;

/** What a key press means; `null` where it means nothing here. Letters typed into a field are text. */
export function actionOf(pressed: Pressed, typing: boolean, dialogOpen: boolean): Action | null {
  if (pressed.altKey) return null;
  if (pressed.ctrlKey || pressed.metaKey) {
    if (dialogOpen) return pressed.key === 'r' ? 'refresh' : null;
    // Other keys may need Shift to be typed at all, such as the digits of a French keyboard.
    if (pressed.shiftKey && pressed.key.toLowerCase() === 'n') return 'window';
    switch (pressed.key) {
      case '1':
        return 'overview';
      case '2':
        return 'deployment';
      case '3':
        return 'alerts';
      case '4':
        return 'actions';
      case '5':
        return 'layers';
      case '6':
        return 'strategy';
      case 'k':
        return 'palette';
      case ',':
        return 'settings';
      case 'r':
        return 'refresh';
      default:
        return null;
    }
  }
  if (dialogOpen) return null;
  if (pressed.key === 'Escape') return 'back';
  if (typing) return null;
  switch (pressed.key) {
    case '/':
      return 'filter';
    case 'j':
    case 'ArrowDown':
      return 'down';
    case 'k':
    case 'ArrowUp':
      return 'up';
    case 'Enter':
      return 'open';
    case 'p':
      return 'purge';
    case 'w':
      return 'warm';
    case 't':
      return 'pin';
    case 'a':
      return 'acknowledge';
    case 's':
      return 'silence';
    case '?':
      return 'keys';
    default:
      return null;
  }
}

/** Whether keys go into a field. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
}

/** Whether Enter and the arrows already mean something to what has the focus. */
export function isControl(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('button, a, summary, [role="radiogroup"]') !== null;
}
