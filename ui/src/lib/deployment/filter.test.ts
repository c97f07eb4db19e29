import { expect, test } from 'vitest';

import { containing, EXAMPLES, withTerm } from './filter';

test('a term is put behind what stands there', () => {
  expect(withTerm('', 'hit<80%')).toBe('hit<80%');
  expect(withTerm('session ', 'hit<80%')).toBe('session hit<80%');
});

test('typed text is taken as text, whatever it looks like', () => {
  expect(containing('hit<0.8 x')).toBe('"hit<0.8 x"');
  expect(containing(' a"b ')).toBe('"a b"');
  expect(containing('  ')).toBe('');
});

test('each term is taught once', () => {
  expect(new Set(EXAMPLES.map(({ term }) => term)).size).toBe(EXAMPLES.length);
});
