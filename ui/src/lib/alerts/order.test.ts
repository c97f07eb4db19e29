import { expect, test } from 'vitest';

import type { AlertView } from '../bindings/AlertView';
import { alertView, triage } from './example';
import { firstOf, heldGroups, inGroups, keyOf, matching, same, worstFirst, worstLoud } from './order';

const named = (rule: string, view: Partial<AlertView> = {}, alert: Partial<AlertView['alert']> = {}) =>
  alertView(view, { rule, ...alert });
const rules = (views: readonly AlertView[]) => views.map((view) => view.alert.rule).join(' ');
const acknowledged = { alert: alertView().alert_ref, fired_at: 0, at: 0, comment: '' };

test('the order of labels does not make another alert', () => {
  const one = { deployment: 'a', rule: 'R', labels: { tenant: 't', namespace: 'n' } };
  const other = { deployment: 'a', rule: 'R', labels: { namespace: 'n', tenant: 't' } };
  expect(same(one, other)).toBe(true);
  expect(keyOf(one)).toBe(keyOf(other));
  expect(same(one, { ...other, deployment: 'b' })).toBe(false);
  expect(same(one, null)).toBe(false);
});

test('firing stands before pending before resolved, loud before quiet, severe before mild, new before old', () => {
  const views = [
    named('resolved', {}, { state: 'resolved' }),
    named('pending', {}, { state: 'pending' }),
    named('quiet', { acknowledged }),
    named('old', { severity: 'warning' }, { active_at: 1 }),
    named('new', { severity: 'warning' }, { active_at: 9 }),
    named('critical'),
  ];
  expect(rules(views.sort(worstFirst))).toBe('critical new old quiet pending resolved');
});

test('the strip shows the most severe, of the whole rather than of a tenant, explained rather than not', () => {
  const tenant = named('tenant', {}, { labels: { tenant: 't-1' }, active_at: 99 });
  const bare = named('bare', {}, { active_at: 50 });
  const explained = named('explained', { triage: triage() });
  expect(worstLoud([tenant, bare, explained])?.view.alert.rule).toBe('explained');
  expect(worstLoud([tenant, bare, explained])?.more).toBe(2);
  expect(worstLoud([tenant, named('mild', { severity: 'warning' })])?.view.alert.rule).toBe('tenant');
  expect(worstLoud([named('quiet', { acknowledged })])).toBe(null);
});

test('a filter wants every word, anywhere, in any case', () => {
  const views = [
    named('LowHitRate'),
    named('HighMemory', { subject: '', namespace: null, summary: 'Memory' }, { labels: {} }),
  ];
  expect(rules(matching(views, 'all', 'SESSIONS hit'))).toBe('LowHitRate');
  expect(rules(matching(views, 'all', 'prod memory'))).toBe('HighMemory');
  expect(matching(views, 'pending', '')).toEqual([]);
  expect(matching(views, 'all', 'sessions memory')).toEqual([]);
});

test('alerts of one cause stand together, and each cause once a deployment', () => {
  const mark = {
    id: 1,
    deployment: 'a',
    at: 500,
    kind: 'deploy' as const,
    text: '4f21c8',
    source: 'command' as const,
  };
  const views = [
    named('one', { triage: triage({ onset: 1_000, near: [mark] }) }),
    named('two', { triage: triage({ onset: 2_000, near: [mark] }) }),
    named('late', {
      triage: triage({ onset: 500_000, near: [mark], causes: [{ cause: 'evicted', share: 0.8 }] }),
    }),
    named('split', { triage: triage({ causes: [{ cause: 'evicted', share: 0.4 }] }) }),
    named('waits', {}, { state: 'pending' }),
    { ...named('elsewhere'), alert_ref: { deployment: 'b', rule: 'elsewhere', labels: {} } },
  ];
  const groups = inGroups(views);
  expect(groups.map(({ deployment, count }) => `${deployment}${count}`)).toEqual(['a5', 'b1']);
  expect(groups[0]?.causes.map(({ title, alerts }) => `${title}: ${rules(alerts)}`)).toEqual([
    'After deploy 4f21c8: one two',
    'Missed keys: evicted before their time to live: late',
    'Hit rate below its target: split',
    'Pending: waits',
  ]);
});

test('a group of many shows its worst, and says how many it hides', () => {
  const of = (count: number) => ({
    key: 'k',
    title: 't',
    alerts: Array.from({ length: count }, (_, n) => named(`r${n}`)),
  });
  expect(firstOf(of(8), false)).toMatchObject({ hidden: 0 });
  expect(firstOf(of(100), false).shown).toHaveLength(6);
  expect(firstOf(of(100), false).hidden).toBe(94);
  expect(firstOf(of(100), true).hidden).toBe(0);
});

test('under a hand alerts keep their place and get new figures; what would move is told', () => {
  const one = named('one');
  const two = named('two', { severity: 'warning' });
  const before = inGroups([one, two]);
  const worse = {
    ...two,
    severity: 'critical' as const,
    alert: { ...two.alert, value: 0.1, active_at: 9_000 },
  };
  const still = heldGroups(before, [one, two]);
  expect(still.moved).toBe(false);
  const held = heldGroups(before, [worse, one].sort(worstFirst));
  const shown = held.groups.flatMap(({ causes }) => causes.flatMap(({ alerts }) => alerts));
  expect(rules(shown)).toBe('one two');
  expect(shown[1]?.alert.value).toBe(0.1);
  expect(held.moved).toBe(true);
  expect(heldGroups(before, [one]).moved).toBe(true);
});
