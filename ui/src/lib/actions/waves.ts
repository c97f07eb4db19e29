// The waves of a run as bars: what each wave added, and how much of that is done.
import type { RunState } from '../bindings/RunState';
import { goal, grouped } from '../format/numbers';

export interface WaveBar {
  /** Such as "10 %". */
  name: string;
  /** From 0 to 1, of the keys that this wave adds. */
  share: number;
  done: boolean;
  told: string;
}

export function waveShares({
  waves,
  counts,
  phase,
}: Pick<RunState, 'waves' | 'counts' | 'phase'>): WaveBar[] {
  let before = 0;
  let current = true;
  return waves.map(({ up_to_ratio, up_to_keys, done, remark }) => {
    const adds = Math.max(0, up_to_keys - before);
    const removed = Math.min(adds, Math.max(0, counts.removed - before));
    before = up_to_keys;
    const first = current && !done;
    if (!done) current = false;
    const going = `${grouped(removed)} of ${grouped(adds)}`;
    const told = done
      ? remark || 'done'
      : first
        ? remark || (phase === 'watching' ? `${going}, watching` : going)
        : '';
    return { name: goal(up_to_ratio), share: done ? 1 : adds > 0 ? removed / adds : 0, done, told };
  });
}
