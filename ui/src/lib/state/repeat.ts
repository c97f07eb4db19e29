import { untrack } from 'svelte';

import { live } from './live.svelte';

/** How often what is said of the keychain is read anew while it is shown. */
export const READ_INFO_MS = 3_000;

/** Runs now and then every so often, but not while nobody sees it or the view is frozen. Returns how to stop. */
export function repeat(milliseconds: number, run: () => void): () => void {
  untrack(run); // what it reads on the way is not what it depends on
  const timer = setInterval(() => {
    if (!document.hidden && !live.paused) run();
  }, milliseconds);
  return () => clearInterval(timer);
}
