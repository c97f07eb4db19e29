import type { RunPhase } from '../bindings/RunPhase';

/** What a run that stands still waits for. */
export function stopped(phase: RunPhase | undefined): string {
  switch (phase) {
    case 'paused':
      return 'Paused. Nothing more is removed until it is resumed.';
    case 'halted':
      return 'Halted by itself. Resume once the cause is dealt with, or put everything back.';
    case 'interrupted':
      return 'Interrupted. Resuming goes on where it stood; nothing is removed twice.';
    default:
      return '';
  }
}
