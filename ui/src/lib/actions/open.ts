// The one way into an action, from wherever it is offered: a panel, a table's row, an alert, a playbook.
import type { RunSummary } from '../bindings/RunSummary';
import { actions } from './actions.svelte';
import type { ActionWish } from './scope';
import { isOver } from './words';

/**
 * Opens the sheet on what is wanted. With a playbook or a namespace to purge the count begins at once, and nothing is
 * written before the operator approves it. A warm waits until it is said how keys are loaded.
 */
export function openAction(wish: ActionWish): void {
  actions.open(wish);
}

/** Opens the sheet on a run that was begun before. */
export function openRun({ run, deployment, phase }: Pick<RunSummary, 'run' | 'deployment' | 'phase'>): void {
  actions.openRun({ run, deployment, over: isOver(phase) });
}
