import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Pins } from './pins.svelte';

let kept: Map<string, string>;

beforeEach(() => {
  kept = new Map();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
});
afterEach(() => vi.unstubAllGlobals());

test('a pin outlives the window, for its own deployment', () => {
  new Pins('a').toggle('session:{id}');
  expect(new Pins('a').has('session:{id}')).toBe(true);
  expect(new Pins('b').list).toEqual([]);
});

test('pinning again lets go', () => {
  const pins = new Pins('a');
  pins.toggle('x');
  pins.toggle('y');
  pins.toggle('x');
  expect(pins.list).toEqual(['y']);
});

test('the newest two hundred stay, as many as the core looks at', () => {
  const pins = new Pins('a');
  for (let place = 0; place < 205; place += 1) pins.toggle(`n${place}`);
  expect(pins.list.length).toBe(200);
  expect(pins.has('n204') && !pins.has('n4')).toBe(true);
});

test('a broken storage means no pins', () => {
  for (const text of ['{', '5', '[1]']) {
    kept.set('cachescope.pins.a', text);
    expect(new Pins('a').list).toEqual([]);
  }
});
