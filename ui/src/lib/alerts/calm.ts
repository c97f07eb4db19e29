// What is said while nothing calls for anybody.
import type { AlertCounts } from '../bindings/AlertCounts';
import type { RulesPage } from '../bindings/RulesPage';

const number = (count: number, one: string, several: string) => `${count} ${count === 1 ? one : several}`;

/** Why it is quiet, and how far that can be trusted: a rule without data says nothing. */
export function calmSentence(counts: AlertCounts, page: RulesPage | null, strategy: boolean): string {
  if (!strategy) return 'No strategy, so no rule judges this deployment.';
  const sentences = [];
  sentences.push(counts.quiet > 0 ? 'No new alert fires.' : 'No alert fires.');
  if (counts.quiet > 0) sentences.push(`${number(counts.quiet, 'is', 'are')} acknowledged or silenced.`);
  if (counts.pending > 0) sentences.push(`${number(counts.pending, 'is', 'are')} pending.`);
  if (page) sentences.push(judgedSentence(page));
  return sentences.join(' ');
}

/** How many rules are judged, how many can't be, and how many have nothing to judge. */
export function judgedSentence({ rules }: RulesPage): string {
  if (rules.length === 0) return 'The strategy has no rules.';
  const judged = rules.filter(({ health }) => health === 'ok').length;
  const silent = rules.filter(({ health }) => health === 'no_data').length;
  const failed = rules.filter(({ health }) => health === 'error').length;
  const parts = [
    `${judged === rules.length ? '' : `${judged} of `}${number(rules.length, 'rule is', 'rules are')} judged`,
  ];
  if (silent > 0) parts.push(`${number(silent, 'has', 'have')} no data`);
  if (failed > 0) parts.push(`${number(failed, 'fails', 'fail')}`);
  return `${parts.join(', ')}.`;
}
