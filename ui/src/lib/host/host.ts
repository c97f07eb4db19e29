// The page's only way to the core. Everything else in the page calls `request` and `watch`, and does not know
// who answers.
import type { Frame } from '../bindings/Frame';
import type { Reply } from '../bindings/Reply';
import type { Request } from '../bindings/Request';
import type { View } from '../bindings/View';
import type { Transport } from './transport';
import { tauri } from './tauri';
import { asWireError } from './wire-error';

/** What the core answers to a request of this name. */
export type ReplyTo<Name extends Request['request']> = Extract<Reply, { reply: Name }>['data'];

let transport: Transport = tauri;

/** Puts another transport in the place of the desktop shell, before anything was asked. */
export function useTransport(other: Transport): void {
  transport = other;
}

/** Asks the core. Rejects with a `WireError`, whatever went wrong. */
export async function request<R extends Request>(asked: R): Promise<ReplyTo<R['request']>> {
  let reply: Reply;
  try {
    reply = await transport.request(asked);
  } catch (error) {
    throw asWireError(error);
  }
  if (reply.reply !== asked.request) {
    throw asWireError(`Asked for ${asked.request}, the core answered ${reply.reply}.`);
  }
  return reply.data as ReplyTo<R['request']>;
}

let watching = 0;

/**
 * Says what this window looks at; figures of a view that was replaced are dropped here. Where the window is to lead
 * is told once, so it holds whatever was looked at.
 */
export async function watch(view: View, onFrame: (frame: Frame) => void): Promise<void> {
  const mine = ++watching;
  try {
    await transport.watch(view, (frame) => {
      if (mine === watching || frame.kind === 'open') onFrame(frame);
    });
  } catch (error) {
    throw asWireError(error);
  }
}
