import type { DeploymentId } from '../bindings/DeploymentId';
import type { Finding } from '../bindings/Finding';
import type { RowPage } from '../bindings/RowPage';
import type { StrategyDocument } from '../bindings/StrategyDocument';
import type { Window } from '../bindings/Window';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';

/** Documented namespaces asked for: the core hands out no more at once, and no strategy has as many. */
const MOST = 200;

/** A strategy and what is observed of it. The last answer stays until the next one is there. */
export class StrategyState {
  /** `undefined` until it was read; `null` where the deployment has none. */
  document = $state.raw<StrategyDocument | null | undefined>(undefined);
  rows = $state.raw<RowPage | null>(null);
  findings = $state.raw<Finding[]>([]);
  trouble = $state.raw<WireError | null>(null);
  #newest = 0;

  async read(deployment: DeploymentId, window: Window): Promise<void> {
    const mine = ++this.#newest;
    try {
      const [document, rows, findings] = await Promise.all([
        request({ request: 'strategy_document', deployment }),
        request({
          request: 'rows',
          query: {
            deployment,
            window,
            filter: '-is:found',
            sort: { by: 'name' },
            descending: false,
            offset: 0,
            limit: MOST,
            sparks: false,
            pinned: [],
          },
        }),
        request({ request: 'findings', deployment }),
      ]);
      if (mine !== this.#newest) return;
      this.document = document;
      this.rows = rows;
      this.findings = findings;
      this.trouble = null;
    } catch (error) {
      if (mine === this.#newest) this.trouble = asWireError(error);
    }
  }
}
