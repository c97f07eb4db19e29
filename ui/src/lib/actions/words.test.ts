import { expect, test } from 'vitest';

import type { Action } from '../bindings/Action';
import type { RunCounts } from '../bindings/RunCounts';
import type { UndoResult } from '../bindings/UndoResult';
import {
  asSaid,
  asSentence,
  compared,
  countdown,
  deedOf,
  doing,
  doneShare,
  leftAlone,
  undoneSoFar,
  useInWords,
  runButton,
  shortHash,
  undoLines,
} from './words';

const scope = { scope: 'pattern', pattern: 'a*', database: null } as const;
const remove: Action = { action: 'remove', scope };
const soften: Action = { action: 'soften', scope, ttl_ms: 1, jitter_ms: 0 };
const bump: Action = { action: 'bump_version', key: 'version:a', database: 0 };
const shown: Action = { action: 'shown', what: 'CDN', by: 'the CDN' };
const counts = (more: Partial<RunCounts>): RunCounts => ({
  removed: 0,
  gone: 0,
  protected: 0,
  too_large: 0,
  contended: 0,
  moved: 0,
  in_doubt: 0,
  scanned: 0,
  other_steps: 0,
  receivers: 0,
  filled: 0,
  there: 0,
  claimed: 0,
  failed: 0,
  unfilled: 0,
  wrong_ttl: 0,
  requests: 0,
  bytes: 0,
  ...more,
});

test('a plan is named by what is done from here', () => {
  expect(deedOf({ steps: [remove, shown] })).toBe('delete');
  expect(deedOf({ steps: [soften] })).toBe('shorten');
  expect(deedOf({ steps: [bump] })).toBe('other');
  expect(deedOf({ steps: [remove, bump] })).toBe('several');
  expect(deedOf({ steps: [shown] })).toBe('other');
});

test('the button says what it will do, with its count', () => {
  const button = (steps: Action[], keys: number) =>
    runButton({
      plan: { deployment: 'a', title: '', steps, how: undefined as never },
      keys,
      steps: steps.map(({ action }) => ({ what: '', keys: 0, done_here: action !== 'shown' })),
    });
  expect(button([remove], 12_480)).toBe('Delete 12,480 keys');
  expect(button([remove, shown], 1)).toBe('Delete 1 key');
  expect(button([soften], 20)).toBe('Soften 20 keys');
  expect(button([bump], 0)).toBe('Run 1 step');
  expect(button([remove, bump], 2)).toBe('Run 2 steps, 2 keys');
});

test('a title tells that it goes on', () => {
  expect(doing('Delete products')).toBe('Deleting products');
  expect(doing('Soften keys')).toBe('Softening keys');
  expect(doing('On new invoice')).toBe('On new invoice');
});

test('what was left alone is said with its reason, and only that', () => {
  expect(leftAlone(counts({}))).toEqual([]);
  expect(leftAlone(counts({ contended: 3, gone: 1 }))).toEqual([
    '1 key was gone before the run came to it',
    '3 keys that somebody kept writing were left alone',
  ]);
});

test('keys that were left alone count as dealt with', () => {
  expect(doneShare({ counts: counts({ removed: 40, gone: 10 }), expected: 100 })).toBe(0.5);
  expect(doneShare({ counts: counts({ removed: 4 }), expected: 0 })).toBe(0);
  expect(doneShare({ counts: counts({ removed: 4 }), expected: 3 })).toBe(1);
});

test('the result is held against the preview', () => {
  expect(compared(10, 10)).toMatch(/^Exactly the 10 keys/);
  expect(compared(9, 10)).toBe('1 key fewer than the 10 of the preview.');
  expect(compared(9, 10, true)).toBe('Stopped after 9 of 10 keys.');
  expect(compared(12, 10)).toMatch(/^2 keys more/);
});

test('an undo tells conflicts, expired and refused keys apart', () => {
  const result: UndoResult = {
    run: '1',
    restored: 5,
    conflicts: 2,
    conflicting: [],
    unchanged: 0,
    expired: 1,
    failed: 1,
    why: 'OOM',
    complete: false,
  };
  const lines = undoLines(result).map(({ text }) => text);
  expect(lines[0]).toMatch(/^5 keys put back/);
  expect(lines.join('\n')).toMatch(
    /2 keys written anew[^]*1 key would have expired[^]*refused by the server: OOM/,
  );
  expect(lines.at(-1)).toMatch(/could not be read/);
  expect(undoLines({ ...result, conflicts: 0, expired: 0, failed: 0, complete: true })).toHaveLength(1);
});

test('a sentence of the core reads well, and addresses stay what they are', () => {
  expect(asSentence('12480 of 4200000 keys, 0.3 %')).toBe('12,480 of 4,200,000 keys, 0.3 %');
  expect(asSentence('the server 10.0.0.1:16379 left, run 12 at db-12345')).toBe(
    'The server 10.0.0.1:16379 left, run 12 at db-12345',
  );
  expect(asSentence('ada@laptop is purging')).toBe('ada@laptop is purging');
  expect(asSentence('')).toBe('');
});

test('a failure is told in sentences, and a line to paste is left alone', () => {
  const error = { code: 'not_found', message: 'there is no run 7', remedy: 'see the runs' } as const;
  expect(asSaid(error)).toMatchObject({ message: 'There is no run 7.', remedy: 'See the runs.' });
  expect(asSaid({ ...error, remedy: 'ACL SETUSER a +unlink' }).remedy).toBe('ACL SETUSER a +unlink');
  expect(asSaid({ ...error, remedy: '' }).remedy).toBe('');
});

test('a countdown ends at zero', () => {
  expect(countdown(581_000)).toBe('9:41');
  expect(countdown(400)).toBe('0:01');
  expect(countdown(-5)).toBe('0:00');
});

test('a hash is short', () => {
  expect(shortHash('7f3a91c04be2')).toBe('7f3a·91c0');
  expect(shortHash('7f')).toBe('7f');
});

test('an undo on its way and the use of a key are said in a few words', () => {
  expect(undoneSoFar({ under_way: true, keys: 0, done: 0 })).toBe('Reading the undo file…');
  expect(undoneSoFar({ under_way: true, keys: 12_480, done: 1_200 })).toBe('Put back 1,200 of 12,480 keys…');
  expect(useInWords({ key: 'k', idle_seconds: 12, uses: null })).toMatch(/^idle 12\ss$/);
  expect(useInWords({ key: 'k', idle_seconds: null, uses: 5 })).toBe('used 5 of 255');
});
