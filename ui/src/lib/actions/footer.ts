import type { RunPhase } from '../bindings/RunPhase';

/** What a run that stands still waits for; `fills` where it loads keys and removes none. */
export function stopped(phase: RunPhase | undefined, fills = false): string {
  switch (phase) {
    case 'paused':
      return `Paused. Nothing more is ${fills ? 'loaded' : 'removed'} until it is resumed.`;
    case 'halted':
      return `Halted by itself. Resume once the cause is dealt with, or ${fills ? 'end it' : 'put everything back'}.`;
    case 'interrupted':
      return `Interrupted. Resuming goes on where it stood; nothing is ${fills ? 'loaded' : 'removed'} twice.`;
    default:
      return '';
  }
}
