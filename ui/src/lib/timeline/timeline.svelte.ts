import type { DeploymentId } from '../bindings/DeploymentId';
import type { TimelineEntry } from '../bindings/TimelineEntry';
import type { Timestamp } from '../bindings/Timestamp';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';

/** Alerts, marks and gaps of the last while. The last answer stays until the next one is there. */
export class Timeline {
  entries = $state.raw<TimelineEntry[] | null>(null);
  from = $state(0);
  to = $state(0);
  trouble = $state.raw<WireError | null>(null);
  #newest = 0;

  async read(deployment: DeploymentId | null, seconds: number, now: Timestamp): Promise<void> {
    const mine = ++this.#newest;
    const from = now - seconds * 1000;
    try {
      const entries = await request({ request: 'timeline', deployment, from, to: now });
      if (mine !== this.#newest) return;
      this.entries = entries;
      this.from = from;
      this.to = now;
      this.trouble = null;
    } catch (error) {
      if (mine === this.#newest) this.trouble = asWireError(error);
    }
  }
}
