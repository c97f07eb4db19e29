import { expect, test } from 'vitest';

import { canRun, previewedSteps, stepsInWords } from './steps';

const of = (...here: boolean[]) => ({ steps: here.map((done_here) => ({ what: '', done_here, note: '' })) });

test('a playbook whose every step is others’ work can be read, not run', () => {
  expect(canRun(of(true, false))).toBe(true);
  expect(canRun(of(false))).toBe(false);
  expect(canRun(of())).toBe(false);
});

test('a previewed step says what it reaches, or that it is others’ work', () => {
  const steps = [
    { what: 'a', keys: 1, done_here: true },
    { what: 'b', keys: 0, done_here: true },
    { what: 'c', keys: 0, done_here: false },
  ];
  expect(previewedSteps({ steps }).map(({ note }) => note)).toEqual(['1 key', '', 'done by others']);
});

test('how many steps are others’ work is said', () => {
  expect(stepsInWords(of(true))).toBe('1 step');
  expect(stepsInWords(of(true, false, true))).toBe('3 steps, 1 by others');
  expect(stepsInWords(of(false, false))).toBe('2 steps, all by others');
});
