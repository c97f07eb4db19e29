import type { Frame } from '../bindings/Frame';
import type { InstanceFrame } from '../bindings/InstanceFrame';
import type { OverviewFrame } from '../bindings/OverviewFrame';
import type { Place } from '../bindings/Place';
import type { View } from '../bindings/View';
import type { WireError } from '../bindings/WireError';
import { watch } from '../host/host';
import { asWireError } from '../host/wire-error';
import { isLast, withPart } from './overview';

/** What the core pushes beside figures. */
export interface Told {
  deploymentsChanged: () => void;
  /** Somebody followed a link, clicked on a notification, or opened this window for a place. */
  open: (place: Place) => void;
}

/** What the core pushes, once a second. Pausing freezes what is shown; the core goes on collecting. */
class Live {
  overview = $state.raw<OverviewFrame | null>(null);
  instance = $state.raw<InstanceFrame | null>(null);
  /** When the frame on the screen arrived, by the page's own clock: ages are counted from here. */
  arrivedAt = $state(0);
  paused = $state(false);
  /** The overview's rows by their deployments. */
  readonly rows = $derived(new Map((this.overview?.rows ?? []).map((row) => [row.id, row])));
  trouble = $state.raw<WireError | null>(null);
  #latest: { overview: OverviewFrame | null; instance: InstanceFrame | null } = {
    overview: null,
    instance: null,
  };

  /** Looks at something else. Frames of another deployment vanish at once: they'd be read as this one's. */
  async look(view: View, told: Told): Promise<void> {
    const deployment = view.kind === 'deployment' ? view.deployment : null;
    if (view.kind !== 'none' && this.instance?.deployment !== deployment) this.instance = null;
    this.#latest.instance = null;
    try {
      await watch(view, (frame) => this.#take(frame, told));
      this.trouble = null;
    } catch (error) {
      this.trouble = asWireError(error);
    }
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.#latest.overview) this.overview = this.#latest.overview;
    if (this.#latest.instance) this.#show(this.#latest.instance);
  }

  #take(frame: Frame, told: Told): void {
    if (frame.kind === 'deployments_changed') {
      told.deploymentsChanged();
    } else if (frame.kind === 'open') {
      told.open(frame.place);
    } else if (frame.kind === 'overview') {
      this.#latest.overview = withPart(this.#latest.overview, frame);
      // Once for all parts: each time, whatever shows deployments is looked through.
      if (!this.paused && isLast(frame)) this.overview = this.#latest.overview;
    } else {
      this.#latest.instance = frame;
      if (!this.paused) this.#show(frame);
    }
  }

  #show(frame: InstanceFrame): void {
    this.arrivedAt = Date.now();
    this.instance = frame;
  }
}

export const live = new Live();
