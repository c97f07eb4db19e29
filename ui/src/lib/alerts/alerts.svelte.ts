import type { AlertsPage } from '../bindings/AlertsPage';
import type { DeploymentId } from '../bindings/DeploymentId';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';

/** How often alerts are read again while they are on the screen: as often as rules are judged. What changes their number
 * is read at once. */
export const READ_ALERTS_MS = 5_000;

/** The alerts of one deployment, or of all. The last answer stays until the next one is there. */
export class AlertList {
  page = $state.raw<AlertsPage | null>(null);
  trouble = $state.raw<WireError | null>(null);
  #newest = 0;

  async read(deployment: DeploymentId | null, namespace: string | null = null): Promise<void> {
    const mine = ++this.#newest;
    try {
      const page = await request({ request: 'alerts', deployment, namespace });
      if (mine !== this.#newest) return;
      this.page = page;
      this.trouble = null;
    } catch (error) {
      if (mine === this.#newest) this.trouble = asWireError(error);
    }
  }
}
