import { expect, test } from 'vitest';

import { Hand } from './hand';

test('a hand holds while it moves, and neither when it left nor when it rests', () => {
  const hand = new Hand();
  expect(hand.holds(0)).toBe(false);
  hand.touch(1_000);
  expect(hand.holds(15_000)).toBe(true);
  expect(hand.holds(60_000)).toBe(false);
  hand.touch(60_000);
  hand.leave();
  expect(hand.holds(60_001)).toBe(false);
});
