import { expect, test } from 'vitest';

import { actionOf, KEYS, type Action, type Pressed } from './keys';

const press = (key: string, more: Partial<Pressed> = {}): Pressed => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...more,
});

test.each<[string, Partial<Pressed>, Action]>([
  ['/', {}, 'filter'],
  ['j', {}, 'down'],
  ['k', {}, 'up'],
  ['Enter', {}, 'open'],
  ['p', {}, 'purge'],
  ['w', {}, 'warm'],
  ['Escape', {}, 'back'],
  ['1', { ctrlKey: true }, 'overview'],
  ['2', { metaKey: true }, 'deployment'],
  ['4', { ctrlKey: true }, 'actions'],
  ['3', { ctrlKey: true }, 'alerts'],
  ['5', { ctrlKey: true }, 'layers'],
  ['6', { ctrlKey: true }, 'strategy'],
  ['k', { ctrlKey: true }, 'palette'],
  ['t', {}, 'pin'],
  [',', { ctrlKey: true }, 'settings'],
  ['a', {}, 'acknowledge'],
  ['s', {}, 'silence'],
  ['r', { ctrlKey: true }, 'refresh'],
  ['N', { ctrlKey: true, shiftKey: true }, 'window'],
  ['1', { ctrlKey: true, shiftKey: true }, 'overview'],
  ['?', {}, 'keys'],
])('%s with %o means %s', (key, more, action) => {
  expect(actionOf(press(key, more), false, false)).toBe(action);
});

test('letters typed into a field stay text, Escape and Ctrl+1 do not', () => {
  for (const key of ['/', 'j', 'k', 'a', 's', 'p', 'Enter', '?'])
    expect(actionOf(press(key), true, false)).toBe(null);
  expect(actionOf(press('Escape'), true, false)).toBe('back');
  expect(actionOf(press('1', { ctrlKey: true }), true, false)).toBe('overview');
});

test('nothing moves behind an open dialog', () => {
  for (const key of ['j', 'Escape', '/', '?']) expect(actionOf(press(key), false, true)).toBe(null);
  expect(actionOf(press('1', { ctrlKey: true }), false, true)).toBe(null);
});

test('the sheet teaches every key once', () => {
  const keys = KEYS.flatMap(({ entries }) => entries).flatMap((entry) => entry.keys);
  expect(new Set(keys).size).toBe(keys.length);
});

// The keys of charts are heard by the chart itself (charts/Chart.svelte).
const OF_CHARTS = new Set(['←', '→', '+', '-', '0']);

test('every key that the sheet teaches means something', () => {
  for (const { keys } of KEYS.flatMap(({ entries }) => entries))
    for (const key of keys.filter((key) => !OF_CHARTS.has(key))) {
      const last = key.replace('Ctrl+', '').replace('Shift+', '').replace('Esc', 'Escape');
      const typed = last.length === 1 ? last.toLowerCase() : last;
      expect(
        actionOf(
          press(typed, { ctrlKey: key.startsWith('Ctrl+'), shiftKey: key.includes('Shift+') }),
          false,
          false,
        ),
        key,
      ).not.toBeNull();
    }
});
