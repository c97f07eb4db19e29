// How rules stand, as shapes and words.
import type { ForeignRule } from '../bindings/ForeignRule';
import type { RuleView } from '../bindings/RuleView';
import type { Status } from '../state/status';
import { SEVERITY, STANDING } from './words';

const JUDGED: Status = { shape: 'circle', tone: 'ok', word: 'ok' };
const NO_DATA: Status = { shape: 'ring', tone: 'idle', word: 'no data' };
const ERROR: Status = { shape: 'cross', tone: 'crit', word: 'error' };

/** What can't be judged says so before anything else: its alerts stand as they last were. */
export function ruleStatus({ health, firing, pending, severity }: RuleView): Status {
  if (health === 'error') return ERROR;
  if (firing > 0) return { ...SEVERITY[severity], word: 'firing' };
  if (health === 'no_data') return NO_DATA;
  return pending > 0 ? STANDING.pending : JUDGED;
}

const ORDER = ['error', 'firing', 'pending', 'no data', 'ok'];

/** Errors, then what fires or is pending, then what has no data; else as the strategy has them. */
export function worstRuleFirst(one: RuleView, other: RuleView): number {
  return ORDER.indexOf(ruleStatus(one).word) - ORDER.indexOf(ruleStatus(other).word);
}

/** A rule of a Prometheus server, in its own words. */
export function foreignStatus({ health, state }: Pick<ForeignRule, 'health' | 'state'>): Status {
  if (health === 'err') return ERROR;
  if (state === 'firing') return { ...SEVERITY.warning, word: 'firing' };
  if (state === 'pending') return STANDING.pending;
  return health === 'ok' ? JUDGED : { shape: 'ring', tone: 'idle', word: 'not evaluated' };
}
