import { expect, test } from 'vitest';

import { servers, took, words } from './slow';

test.each([
  ['with its key', 'get', 'session:1', 'GET session:1'],
  ['without one', 'keys', '', 'KEYS'],
  ['with a subcommand', 'object encoding', 'a b', 'OBJECT ENCODING a b'],
])('a command is written as one would type it: %s', (_, command, key, text) => {
  expect(words({ command, key })).toBe(text);
});

test('durations have a unit of their size', () => {
  expect(took({ micros: 12 })).toMatch(/^12(\.0)?\s?µs$/u);
  expect(took({ micros: 34_000 })).toMatch(/^34(\.0)?\s?ms$/u);
});

test('the server is named where there are several', () => {
  expect(servers([{ node: 'a:1' }, { node: 'a:1' }])).toBe(1);
  expect(servers([{ node: 'a:1' }, { node: 'b:1' }])).toBe(2);
});
