// The way from an alert to an action. Whoever draws actions registers here; until then it is said in a sentence.
import type { DeploymentId } from '../bindings/DeploymentId';

/** What somebody wants to do, before anything is planned: a plan of the strategy by its name, or a namespace. */
export interface WishedAction {
  deployment: DeploymentId;
  /** Name of a playbook of the strategy. */
  playbook?: string;
  /** Name of a warm plan of the strategy. */
  warm?: string;
  /** A namespace's template. */
  namespace?: string;
}

let opener: ((wish: WishedAction) => void) | null = null;

/** Says who opens actions; returns how to take that back. */
export function onOpenAction(open: (wish: WishedAction) => void): () => void {
  opener = open;
  return () => {
    if (opener === open) opener = null;
  };
}

/** Opens the plan of an action. Nothing is run by it. */
export function openAction(wish: WishedAction): void {
  opener?.(wish);
}

/** What would be planned, in words. */
export function wishInWords({ playbook, warm, namespace }: WishedAction): string {
  if (playbook !== undefined) return `the playbook “${playbook}”`;
  if (warm !== undefined) return `the warm plan “${warm}”`;
  return namespace === undefined || namespace === '' ? 'a purge' : `a purge of ${namespace}`;
}
