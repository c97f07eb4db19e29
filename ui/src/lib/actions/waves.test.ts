import { expect, test } from 'vitest';

import type { RunState } from '../bindings/RunState';
import { waveShares } from './waves';

const run = (removed: number, done: number): Pick<RunState, 'waves' | 'counts' | 'phase'> => ({
  phase: 'running',
  counts: { removed } as RunState['counts'],
  waves: [
    { up_to_ratio: 0.01, up_to_keys: 100, done: done > 0, remark: done > 0 ? '100 keys, calm' : '' },
    { up_to_ratio: 0.1, up_to_keys: 1_000, done: done > 1, remark: '' },
    { up_to_ratio: 1, up_to_keys: 10_000, done: done > 2, remark: '' },
  ],
});

test('a wave shows what it adds, not what was there before', () => {
  const bars = waveShares(run(550, 1));
  expect(bars.map(({ share }) => share)).toEqual([1, 0.5, 0]);
  expect(bars.map(({ told }) => told)).toEqual(['100 keys, calm', '450 of 900', '']);
});

test('a wave that is done is full, though some of its keys were gone', () => {
  expect(waveShares(run(9_990, 3)).map(({ share }) => share)).toEqual([1, 1, 1]);
});

test('nothing is drawn past the end', () => {
  expect(waveShares(run(20_000, 2))[2]?.share).toBe(1);
});
