// A playbook's steps: which are done from here, and which are others' work that is shown so that nobody forgets it.
import type { PlaybookStepView } from '../bindings/PlaybookStepView';
import type { PlaybookView } from '../bindings/PlaybookView';
import type { Preview } from '../bindings/Preview';
import type { Status } from '../state/status';
import { keysInWords } from './words';

export const HERE: Status = { shape: 'circle', tone: 'ok', word: 'done from here' };
export const THERE: Status = { shape: 'ring', tone: 'idle', word: 'done by others' };

/** A preview's steps, each with the keys it reaches. */
export function previewedSteps({ steps }: Pick<Preview, 'steps'>): PlaybookStepView[] {
  return steps.map(({ what, keys, done_here }) => ({
    what,
    done_here,
    note: !done_here ? 'done by others' : keys > 0 ? keysInWords(keys) : '',
  }));
}

/** Whether any step is done from here: a playbook without one can be read, not run. */
export function canRun({ steps }: Pick<PlaybookView, 'steps'>): boolean {
  return steps.some(({ done_here }) => done_here);
}

/** What is done by whom, in words: "3 steps, 1 by others". */
export function stepsInWords({ steps }: Pick<PlaybookView, 'steps'>): string {
  const others = steps.filter(({ done_here }) => !done_here).length;
  const all = `${steps.length} ${steps.length === 1 ? 'step' : 'steps'}`;
  if (others === 0) return all;
  return others === steps.length ? `${all}, all by others` : `${all}, ${others} by others`;
}
