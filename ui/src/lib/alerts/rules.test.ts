import { expect, test } from 'vitest';

import type { RuleView } from '../bindings/RuleView';
import { calmSentence, judgedSentence } from './calm';
import { counts } from './example';
import { foreignStatus, ruleStatus, worstRuleFirst } from './rules';

const rule = (name: string, some: Partial<RuleView> = {}): RuleView => ({
  rule: name,
  severity: 'warning',
  summary: '',
  condition: '',
  health: 'ok',
  detail: '',
  evaluated_at: null,
  judged: 1,
  without_data: 0,
  firing: 0,
  pending: 0,
  documented: '',
  note: '',
  ...some,
});
const page = (rules: RuleView[]) => ({
  evaluation: { interval_seconds: 5, last_at: null, skipped: 0, restored_from: null },
  rules,
});

test('what can’t be judged stands first, also while its alerts still fire', () => {
  const all = [
    rule('fine'),
    rule('silent', { health: 'no_data' }),
    rule('fires', { firing: 1 }),
    rule('broken', { health: 'error', firing: 1 }),
    rule('waits', { pending: 1 }),
  ];
  expect([...all].sort(worstRuleFirst).map((it) => it.rule)).toEqual([
    'broken',
    'fires',
    'waits',
    'silent',
    'fine',
  ]);
  expect(ruleStatus(rule('x', { health: 'error' })).word).toBe('error');
});

test('rules of a Prometheus keep their own words', () => {
  expect(foreignStatus({ health: 'err', state: 'inactive' }).word).toBe('error');
  expect(foreignStatus({ health: 'ok', state: 'firing' }).word).toBe('firing');
  expect(foreignStatus({ health: 'unknown', state: 'inactive' }).word).toBe('not evaluated');
  expect(foreignStatus({ health: 'ok', state: 'inactive' }).word).toBe('ok');
});

test('quiet is told with how far it can be trusted', () => {
  const rules = page([rule('a'), rule('b'), rule('c', { health: 'no_data' })]);
  expect(calmSentence(counts({}), rules, true)).toBe(
    'No alert fires. 2 of 3 rules are judged, 1 has no data.',
  );
  expect(calmSentence(counts({ quiet: 2, pending: 1 }), null, true)).toBe(
    'No new alert fires. 2 are acknowledged or silenced. 1 is pending.',
  );
  expect(calmSentence(counts({}), rules, false)).toBe('No strategy, so no rule judges this deployment.');
  expect(judgedSentence(page([]))).toBe('The strategy has no rules.');
  expect(judgedSentence(page([rule('a')]))).toBe('1 rule is judged.');
  expect(judgedSentence(page([rule('a', { health: 'error' }), rule('b')]))).toBe(
    '1 of 2 rules are judged, 1 fails.',
  );
});
