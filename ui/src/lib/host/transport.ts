import type { Frame } from '../bindings/Frame';
import type { Reply } from '../bindings/Reply';
import type { Request } from '../bindings/Request';
import type { View } from '../bindings/View';

/** What carries requests and frames between the page and the core. It rejects with a `WireError`. */
export interface Transport {
  request(request: Request): Promise<Reply>;
  /** Replaces the view of this window; frames of the one before may still arrive and must be ignored. */
  watch(view: View, onFrame: (frame: Frame) => void): Promise<void>;
}
