import type { DeploymentId } from '../bindings/DeploymentId';
import { store, storedText } from '../state/stored';

/** Most rows that can be pinned: the core looks at no more. */
const MOST = 200;

/** Rows that stand first whatever the order, a set for each deployment, kept in this window's storage. */
export class Pins {
  list = $state.raw<readonly string[]>([]);
  #key: string;

  constructor(deployment: DeploymentId) {
    this.#key = `cachescope.pins.${deployment}`;
    this.list = read(this.#key);
  }

  has(namespace: string): boolean {
    return this.list.includes(namespace);
  }

  /** Pins what is not, and lets go what is. */
  toggle(namespace: string): void {
    this.list = this.has(namespace)
      ? this.list.filter((one) => one !== namespace)
      : [...this.list, namespace].slice(-MOST);
    store(this.#key, JSON.stringify(this.list));
  }
}

function read(key: string): readonly string[] {
  try {
    const kept: unknown = JSON.parse(storedText(key) || '[]');
    return Array.isArray(kept) ? kept.filter((one): one is string => typeof one === 'string') : [];
  } catch {
    return []; // written by something else: no pins
  }
}
