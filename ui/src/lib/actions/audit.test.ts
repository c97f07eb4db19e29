import { expect, test } from 'vitest';

import { detailsInWords, eventInWords } from './audit';

test('events are words, and an unknown one is not swallowed', () => {
  expect(eventInWords('purge.started')).toBe('Purge started');
  expect(eventInWords('purge.cancelled')).toBe('Purge stopped');
  expect(eventInWords('purge.lock_taken')).toBe('Purge lock taken');
  expect(eventInWords('odd')).toBe('odd');
});

test('details are a list of what is there', () => {
  expect(detailsInWords('{"keys":12480,"gone":0,"why":"","undo":"13.undo"}')).toBe(
    'keys 12,480, undo 13.undo',
  );
  expect(detailsInWords('{"share":0.00297142}')).toBe('share 0.00297');
  expect(detailsInWords('{"nodes":{"a":1}}')).toBe('nodes {"a":1}');
  expect(detailsInWords(`{"plan":"${'7f3a91c0'.repeat(8)}"}`)).toBe('plan 7f3a·91c0');
  expect(detailsInWords('not json')).toBe('not json');
  expect(detailsInWords('[1]')).toBe('[1]');
});
