import type { AlertCounts } from '../bindings/AlertCounts';
import type { Deployment } from '../bindings/Deployment';
import { loudCount } from '../alerts/words';
import type { Status } from '../state/status';

/** What a row of the overview can be found by. */
export interface Findable {
  deployment: Pick<Deployment, 'name' | 'group' | 'environment'>;
  status: Status;
  alerts: AlertCounts | undefined;
}

/** The word for deployments with an alert that calls for somebody. */
export const FIRING = 'firing';

/**
 * Whether a row answers to every word that was typed: a part of its name or group, or the beginning of its
 * environment, of its state, or of "firing".
 */
export function answers(typed: string, { deployment, status, alerts }: Findable): boolean {
  const names = `${deployment.name}\n${deployment.group ?? ''}`.toLowerCase();
  const words = [deployment.environment ?? 'production', ...status.word.split(' ')];
  if (alerts && loudCount(alerts) > 0) words.push(FIRING);
  return typed
    .toLowerCase()
    .split(/\s+/)
    .every((word) => names.includes(word) || words.some((known) => known.startsWith(word)));
}

/** A state, how many rows are in it, and the word that finds them. */
export interface Count {
  status: Status;
  count: number;
}

const RANK = { crit: 0, warn: 1, idle: 2, ok: 3 };

/** How many rows are in each state, the worst first. */
export function countsOf(rows: readonly { status: Status }[]): Count[] {
  const counts = new Map<string, Count>();
  for (const { status } of rows) {
    const known = counts.get(status.word);
    counts.set(status.word, { status, count: (known?.count ?? 0) + 1 });
  }
  return [...counts.values()].sort((a, b) => RANK[a.status.tone] - RANK[b.status.tone]);
}
