import { expect, test } from 'vitest';

import { ago, clock, span, WINDOWS } from './time';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test.each([
  [0, '0 s'],
  [0.5, '0.5 s'],
  [58, '58 s'],
  [60, '1 min'],
  [90, '1.5 min'],
  [2_460, '41 min'],
  [3_600, '1 h'],
  [86_400, '24 h'],
  [93_600, '26 h'],
  [535_680, '6.2 d'],
  [604_800, '7 d'],
  [2_592_000, '30 d'],
])('%d seconds read %s', (seconds, text) => {
  expect(plain(span(seconds))).toBe(text);
});

test.each([
  [0, 400, 'just now'],
  [0, 12_300, '12 s ago'],
  [0, 180_000, '3 min ago'],
  [5_000, 0, 'just now'],
])('from %d to %d is %s', (at, now, text) => {
  expect(plain(ago(at, now))).toBe(text);
});

test('clock times are local and have two digits each', () => {
  expect(clock(new Date(2026, 0, 2, 3, 4, 5).getTime())).toBe('03:04:05');
});

test('windows stand shortest first', () => {
  expect(WINDOWS.map(({ seconds }) => seconds)).toEqual([10, 60, 300, 900, 3_600, 86_400]);
});
