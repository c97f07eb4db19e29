import { expect, test } from 'vitest';

import { find, matchOf, parts, type Entry, type Group } from './entries';

const entry = (group: Group, name: string, about?: string): Entry => ({
  id: `${group} ${name}`,
  group,
  name,
  ...(about === undefined ? {} : { about }),
  run: () => {},
});
const names = (typed: string, entries: Entry[]) => find(typed, entries).map(({ entry }) => entry.name);

test('letters must all be there, in order, whatever their case', () => {
  expect(matchOf('SES', 'Sessions')).not.toBeNull();
  expect(matchOf('sns', 'Sessions')).not.toBeNull();
  expect(matchOf('nss', 'Sessions')).toBeNull();
  expect(matchOf('', 'Sessions')).toEqual({ score: 0, at: [] });
});

test('beginnings of words beat letters inside of them', () => {
  expect(names('eu', [entry('Deployments', 'queue'), entry('Deployments', 'prod-eu-1')])[0]).toBe(
    'prod-eu-1',
  );
  expect(names('se', [entry('Namespaces', 'users by seat'), entry('Namespaces', 'Sessions')])[0]).toBe(
    'Sessions',
  );
});

test('what stands beside a name is searched too, and comes behind', () => {
  const entries = [entry('Namespaces', 'Logins', 'session:{id}'), entry('Namespaces', 'Sessions')];
  expect(names('session', entries)).toEqual(['Sessions', 'Logins']);
});

test('without anything typed all stand in the order of their groups', () => {
  const entries = [entry('View', 'Pause'), entry('Go to', 'Alerts'), entry('Deployments', 'dev')];
  expect(names('', entries)).toEqual(['Alerts', 'dev', 'Pause']);
});

test('the group with the best answer stands first', () => {
  const entries = [entry('Go to', 'Overview of all paused things'), entry('View', 'Pause')];
  expect(names('pause', entries)[0]).toBe('Pause');
});

test('one group can not hide the others', () => {
  const many = Array.from({ length: 50 }, (_, place) => entry('Namespaces', `pause ${place}`));
  const found = names('pause', [...many, entry('View', 'Pause')]);
  expect(found).toContain('Pause');
  expect(found.length).toBe(9);
});

test('a name is marked where it was typed, emoji and all', () => {
  const match = matchOf('b', '🔥b');
  expect(parts('🔥b', match?.at ?? [])).toEqual([
    { text: '🔥', typed: false },
    { text: 'b', typed: true },
  ]);
});
