import type { DeploymentId } from '../bindings/DeploymentId';
import type { ActionWish } from './scope';
import { ActionSheet } from './sheet.svelte';

/** What of the Actions section is shown. */
export type ActionsPart = 'playbooks' | 'runs' | 'audit';

/** The sheet that is open, if any, and where the Actions section stands. */
class Actions {
  sheet = $state.raw<ActionSheet | null>(null);
  /** Which deployment the section shows. */
  deployment = $state<DeploymentId | null>(null);
  part = $state<ActionsPart>('playbooks');
  /** What had the focus before the sheet was opened. */
  #from: HTMLElement | null = null;

  open(wish: ActionWish): void {
    this.#show(ActionSheet.of(wish));
  }

  openRun(run: { run: string; deployment: DeploymentId; over: boolean }): void {
    this.#show(ActionSheet.on(run));
  }

  close(): void {
    this.sheet?.close();
    this.sheet = null;
    const from = this.#from;
    this.#from = null;
    queueMicrotask(() => {
      if (from?.isConnected) from.focus();
    });
  }

  #show(sheet: ActionSheet): void {
    this.sheet?.close();
    this.#from ??= document.activeElement instanceof HTMLElement ? document.activeElement : null;
    this.sheet = sheet;
    if (sheet.run !== null) sheet.look();
  }
}

export const actions = new Actions();
