import type { DeploymentId } from '../bindings/DeploymentId';
import type { SourceId } from '../bindings/SourceId';
import type { SourcePrice } from '../bindings/SourcePrice';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';

/** What is to be switched on: a source, or the announcement of keyspace events by the server. */
export type Wish = { of: 'source'; source: SourceId } | { of: 'announcement' };

/** Switching on what costs: first its price is shown, then exactly what was shown is approved. */
export class PricedSwitch {
  /** What it costs and changes; `null` while it is on its way. */
  price = $state.raw<SourcePrice | null>(null);
  busy = $state(false);
  trouble = $state.raw<WireError | null>(null);
  /** Whether anything is left to be done: the server may announce everything already. */
  get needed(): boolean {
    return this.price !== null && (this.wish.of === 'source' || this.price.approval !== null);
  }

  constructor(
    readonly deployment: DeploymentId,
    readonly wish: Wish,
  ) {}

  async read(): Promise<void> {
    const { deployment, wish } = this;
    await this.#try(async () => {
      this.price = await (wish.of === 'source'
        ? request({ request: 'preview_source', deployment, source: wish.source })
        : request({ request: 'preview_events', deployment }));
    });
  }

  /** Approves what is shown; tells whether it is on. An approval holds once, so after a failure the price is new. */
  async approve(): Promise<boolean> {
    const { deployment, wish, price } = this;
    if (this.busy || !this.needed || price === null) return false;
    const token = price.approval?.token;
    const done = await this.#try(async () => {
      if (wish.of === 'announcement') {
        await request({ request: 'enable_events', deployment, approval: token ?? '' });
      } else {
        const approval = token === undefined ? {} : { approval: token };
        await request({ request: 'set_source', deployment, source: wish.source, on: true, ...approval });
      }
    });
    if (!done) {
      const why = this.trouble;
      await this.read();
      this.trouble = why;
    }
    return done;
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
