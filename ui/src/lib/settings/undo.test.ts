import { expect, test } from 'vitest';

import { amount, undoSentence } from './undo';

test('an amount is a number above zero, with a point or a comma', () => {
  expect(amount(' 2.5 ')).toBe(2.5);
  expect(amount('2,5')).toBe(2.5);
  for (const none of ['', '  ', '0', '-1', 'seven', '1e999']) expect(amount(none)).toBeNull();
});

test('retention is said with what ends it', () => {
  const settings = { keep_days: 1, most_bytes_of_a_run: 2e9, most_bytes: 10e9 };
  expect(undoSentence(settings)).toContain('undone for 1 day, or until all files');
  expect(undoSentence({ ...settings, keep_days: 7 })).toContain('for 7 days');
});
