import type { DeploymentId } from '../bindings/DeploymentId';
import type { Timestamp } from '../bindings/Timestamp';
import { request } from '../host/host';

/** Which deployments are armed, and until when. The core decides; this is what it said last. */
class ArmedStates {
  #until = $state.raw<Record<DeploymentId, Timestamp | null>>({});

  /** Until when; `null` where it is locked or not known yet. */
  until(deployment: DeploymentId): Timestamp | null {
    return this.#until[deployment] ?? null;
  }

  /** Asks the core, which voids it on its own after sleep or a failover. Rejects with a `WireError`. */
  async read(deployment: DeploymentId): Promise<void> {
    this.#keep(deployment, (await request({ request: 'armed_until', deployment })).until);
  }

  /** Arms it for ten minutes. Rejects with a `WireError`. */
  async arm(deployment: DeploymentId, typedName: string): Promise<void> {
    this.#keep(deployment, (await request({ request: 'arm', deployment, typed_name: typedName })).until);
  }

  /** Locks it again. Rejects with a `WireError`. */
  async disarm(deployment: DeploymentId): Promise<void> {
    this.#keep(deployment, (await request({ request: 'disarm', deployment })).until);
  }

  #keep(deployment: DeploymentId, until: Timestamp | null): void {
    this.#until = { ...this.#until, [deployment]: until };
  }
}

export const armed = new ArmedStates();
