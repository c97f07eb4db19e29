import { expect, test } from 'vitest';

import { steadily } from './steady';

test('what is made of the same parts is the same thing, in whatever order it is asked for', () => {
  const made = steadily((name: string, row: object | undefined) => ({ name, row }));
  const [one, other] = [{}, {}];
  const [a, b] = made([
    ['a', 'A', one],
    ['b', 'B', undefined],
  ]);
  const [againB, againA] = made([
    ['b', 'B', other],
    ['a', 'A', one],
  ]);
  expect(againA).toBe(a);
  expect(againB).not.toBe(b);
  expect(againB).toEqual({ name: 'B', row: other });
});

test('what was left out meanwhile is made anew', () => {
  const made = steadily((part: number) => ({ part }));
  const [first] = made([['a', 1]]);
  expect(made([])).toEqual([]);
  expect(made([['a', 1]])[0]).not.toBe(first);
});
