import { expect, test } from 'vitest';

import { dayAndTime, untilInWords } from './undo';

const at = new Date(2026, 11, 4, 9, 5).getTime();

test('each state of an undo file has its words', () => {
  expect(dayAndTime(at)).toBe('4 Dec, 09:05');
  expect(untilInWords({ undo: 'possible', until: at })).toBe('kept until 4 Dec, 09:05');
  expect(untilInWords({ undo: 'done', at })).toBe('undone 4 Dec, 09:05');
  expect(untilInWords({ undo: 'none' })).toBe('nothing kept');
  expect(untilInWords({ undo: 'gone' })).toBe('file removed');
});
