import type { AdoptionView } from '../bindings/AdoptionView';
import type { DeploymentId } from '../bindings/DeploymentId';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';

/** Adopting one found namespace: what would be written, then that it was. Nothing is written before `adopt`. */
export class Adoption {
  /** What would be written; `null` while it is on its way. */
  preview = $state.raw<AdoptionView | null>(null);
  /** What was written. */
  done = $state.raw<AdoptionView | null>(null);
  busy = $state(false);
  trouble = $state.raw<WireError | null>(null);
  /** Whether there is something to adopt, shown and not yet written. */
  readonly ready = $derived(!this.busy && this.done === null && (this.preview?.names.length ?? 0) > 0);
  readonly #of: { deployment: DeploymentId; namespaces: string[] };

  constructor(deployment: DeploymentId, namespace: string) {
    this.#of = { deployment, namespaces: [namespace] };
  }

  async read(): Promise<void> {
    await this.#try(async () => {
      this.preview = await request({ request: 'preview_adoption', ...this.#of });
    });
  }

  /** Writes what was shown; tells whether it did. */
  async adopt(): Promise<boolean> {
    if (!this.ready) return false;
    return this.#try(async () => {
      this.done = await request({ request: 'adopt', ...this.#of });
    });
  }

  async #try(step: () => Promise<void>): Promise<boolean> {
    this.busy = true;
    this.trouble = null;
    try {
      await step();
      return true;
    } catch (error) {
      this.trouble = asWireError(error);
      return false;
    } finally {
      this.busy = false;
    }
  }
}
