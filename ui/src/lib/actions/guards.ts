// What still stands between a preview and its run, as the page can tell. The core judges again: this only says
// beforehand what it would refuse.
import type { Check } from '../bindings/Check';
import type { HowToRun } from '../bindings/HowToRun';
import type { PreviewedAction } from '../bindings/PreviewedAction';
import type { Timestamp } from '../bindings/Timestamp';
import type { Verdict } from '../bindings/Verdict';

/** What the operator has done so far. */
export interface Given {
  typedName: string;
  reason: string;
  armedUntil: Timestamp | null;
  /** How it is to be run now, which may differ from how it was previewed. */
  how: HowToRun;
  now: Timestamp;
}

/** A reason of fewer letters says nothing. */
const SHORTEST_REASON = 4;

export type Obstacle = 'changed' | 'refused' | 'expired' | 'name' | 'locked' | 'reason' | 'nothing';

/** What is in the way, the first to be dealt with first. */
export function obstacles({ preview, approval, wants }: PreviewedAction, given: Given): Obstacle[] {
  const found: Obstacle[] = [];
  if (!sameHow(preview.plan.how, given.how)) found.push('changed');
  if (preview.checks.some(({ verdict }) => verdict === 'refused') || approval === null) found.push('refused');
  else if (approval.expires_at <= given.now) found.push('expired');
  if (preview.keys === 0 && onlyKeys(preview)) found.push('nothing');
  if (wants.typed_name !== null && given.typedName !== wants.typed_name) found.push('name');
  if (wants.armed && (given.armedUntil ?? 0) <= given.now) found.push('locked');
  if (wants.reason && given.reason.trim().length < SHORTEST_REASON) found.push('reason');
  return found;
}

/** Whether a plan does nothing but reach keys: with none of them it does nothing at all. */
function onlyKeys({ plan }: PreviewedAction['preview']): boolean {
  return plan.steps.every(({ action, ...step }) => {
    if (action === 'remove' || action === 'soften' || action === 'refresh' || action === 'shown') return true;
    // One request may fill keys that only the application knows.
    return 'warm' in step && step.warm.way.way !== 'request';
  });
}

/** What to do about it, a few words. */
export const TO_DO: Record<Obstacle, string> = {
  changed: 'Count again: how it runs was changed.',
  refused: 'A check refuses it.',
  expired: 'The approval no longer holds. Count again.',
  name: 'Type the deployment’s name.',
  locked: 'The deployment is locked. Arm it.',
  reason: 'Give a reason.',
  nothing: 'No key is reached: there is nothing to do.',
};

/** Whether two ways to run are the same. */
export function sameHow(one: HowToRun, other: HowToRun): boolean {
  return (Object.keys(one) as (keyof HowToRun)[]).every((field) => one[field] === other[field]);
}

const WORST_FIRST: Verdict[] = ['refused', 'remark', 'passed'];

/** Checks, the worst first, each kind in the core's order. */
export function sortedChecks(checks: readonly Check[]): Check[] {
  return [...checks].sort((a, b) => WORST_FIRST.indexOf(a.verdict) - WORST_FIRST.indexOf(b.verdict));
}

/** Which override lifts a refusal, where one does: it is offered beside it, never taken by itself. */
export function overrideOf({ code, verdict }: Check): 'protected_too' | 'beyond_limits' | null {
  if (verdict === 'passed') return null;
  if (code === 'protected') return 'protected_too';
  return code.startsWith('share-of-') ? 'beyond_limits' : null;
}
