import { Channel, invoke } from '@tauri-apps/api/core';

import type { Frame } from '../bindings/Frame';
import type { Reply } from '../bindings/Reply';
import type { Transport } from './transport';

/** The desktop shell. */
export const tauri: Transport = {
  request: (request) => invoke<Reply>('request', { request }),
  watch: (view, onFrame) => {
    const frames = new Channel<Frame>();
    frames.onmessage = onFrame;
    return invoke('watch', { view, frames });
  },
};
