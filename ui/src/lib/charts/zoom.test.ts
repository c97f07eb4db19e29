import { expect, test } from 'vitest';

import { dragged, farther, nearer, toAsk } from './zoom';

test('a click is no drag, and a drag to the left is one', () => {
  expect(dragged(100, 101)).toBeNull();
  expect(dragged(200, 100)).toEqual({ from: 100, to: 200 });
  expect(dragged(100, 107)).toEqual({ from: 98.5, to: 108.5 });
});

test('nearer halves the span around the cursor, which keeps its place, down to ten seconds', () => {
  expect(nearer({ from: 0, to: 100 }, 25)).toEqual({ from: 12.5, to: 62.5 });
  expect(nearer({ from: 0, to: 12 }, 6)).toEqual({ from: 1, to: 11 });
});

test('farther doubles it within the whole, and ends in the whole', () => {
  const whole = { from: 0, to: 900 };
  expect(farther({ from: 10, to: 110 }, 60, whole)).toEqual({ from: 0, to: 200 });
  expect(farther({ from: 800, to: 900 }, 850, whole)).toEqual({ from: 700, to: 900 });
  expect(farther({ from: 0, to: 500 }, 250, whole)).toBeNull();
});

test('a zoomed chart asks for finer points, never for more than there are or the core gives', () => {
  expect(toAsk(null, 900, 180, 1000)).toEqual({ seconds: 900, points: 180 });
  expect(toAsk({ from: 700, to: 800 }, 900, 180, 1000)).toEqual({ seconds: 300, points: 300 });
  expect(toAsk({ from: 0, to: 3600 }, 86_400, 180, 7200)).toEqual({ seconds: 7200, points: 360 });
  expect(toAsk({ from: 0, to: 60 }, 86_400, 180, 80_000).points).toBe(1000);
});
