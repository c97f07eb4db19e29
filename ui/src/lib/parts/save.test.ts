import { expect, test } from 'vitest';

import { fileName } from './save';

test('a file’s name has nothing that a system refuses', () => {
  expect(fileName('prod/eu 1', 'session:{id}')).toBe('prod-eu-1-session-id');
  expect(fileName('../..', 'a')).toBe('..-..-a');
  expect(fileName('ключ 🔥', '')).toBe('ключ');
  expect(fileName('x'.repeat(300)).length).toBe(120);
});
