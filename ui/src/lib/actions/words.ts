// Actions in words: what a button will do, what a run is doing, what it left alone.
import type { Action } from '../bindings/Action';
import type { Plan } from '../bindings/Plan';
import type { Preview } from '../bindings/Preview';
import type { RunCounts } from '../bindings/RunCounts';
import type { RunPhase } from '../bindings/RunPhase';
import type { RunSummary } from '../bindings/RunSummary';
import type { StopRuleState } from '../bindings/StopRuleState';
import type { UndoProgress } from '../bindings/UndoProgress';
import type { UndoResult } from '../bindings/UndoResult';
import type { UsedKey } from '../bindings/UsedKey';
import type { Verdict } from '../bindings/Verdict';
import type { WireError } from '../bindings/WireError';
import { grouped } from '../format/numbers';
import { span } from '../format/time';
import type { Status } from '../state/status';

export const VERDICT: Record<Verdict, Status> = {
  passed: { shape: 'circle', tone: 'ok', word: 'passed' },
  remark: { shape: 'diamond', tone: 'warn', word: 'worth knowing' },
  refused: { shape: 'cross', tone: 'crit', word: 'refused' },
};

export const PHASE: Record<RunPhase, Status> = {
  running: { shape: 'circle', tone: 'ok', word: 'running' },
  watching: { shape: 'half', tone: 'ok', word: 'watching' },
  paused: { shape: 'bar', tone: 'idle', word: 'paused' },
  halted: { shape: 'triangle', tone: 'crit', word: 'halted' },
  interrupted: { shape: 'diamond', tone: 'warn', word: 'interrupted' },
  cancelled: { shape: 'ring', tone: 'idle', word: 'stopped' },
  finished: { shape: 'circle', tone: 'ok', word: 'finished' },
};

/** How a rule that halts a run stands. */
export function ruleStatus({ breached, known }: StopRuleState): Status {
  if (breached) return { shape: 'triangle', tone: 'crit', word: 'breached' };
  return known
    ? { shape: 'circle', tone: 'ok', word: 'within' }
    : { shape: 'dashed', tone: 'idle', word: 'not known' };
}

/** Whether it works by itself now. */
export const isActive = (phase: RunPhase): boolean => phase === 'running' || phase === 'watching';
/** Whether it stands until somebody decides. */
export const isUndecided = (phase: RunPhase): boolean =>
  phase === 'paused' || phase === 'halted' || phase === 'interrupted';
/** Whether nothing more comes of it. */
export const isOver = (phase: RunPhase): boolean => phase === 'cancelled' || phase === 'finished';

const many = (count: number, one: string, more = `${one}s`) =>
  `${grouped(count)} ${count === 1 ? one : more}`;

/** Keys in words: "1 key", "12,480 keys". */
export const keysInWords = (count: number): string => many(count, 'key');

type Deed = 'delete' | 'shorten' | 'fill' | 'refresh' | 'other' | 'several';

const DEEDS: Partial<Record<Action['action'], Deed>> = {
  remove: 'delete',
  soften: 'shorten',
  warm: 'fill',
  refresh: 'refresh',
};

/** What a plan does from here. Steps that others handle don't count. */
export function deedOf(plan: Pick<Plan, 'steps'>): Deed {
  const deeds = new Set(
    plan.steps.filter(({ action }) => action !== 'shown').map(({ action }): Deed => DEEDS[action] ?? 'other'),
  );
  const [only] = deeds;
  return deeds.size === 1 && only !== undefined ? only : deeds.size === 0 ? 'other' : 'several';
}

/** What the button that runs it will do: "Delete 12,480 keys". */
export function runButton(preview: Pick<Preview, 'plan' | 'keys' | 'steps'>): string {
  const steps = many(preview.steps.filter(({ done_here }) => done_here).length, 'step');
  switch (deedOf(preview.plan)) {
    case 'delete':
      return `Delete ${keysInWords(preview.keys)}`;
    case 'shorten':
      return `Soften ${keysInWords(preview.keys)}`;
    case 'fill':
      return preview.keys === 0 ? 'Warm' : `Load ${keysInWords(preview.keys)}`;
    case 'refresh':
      return `Replace ${keysInWords(preview.keys)}`;
    case 'other':
      return `Run ${steps}`;
    case 'several':
      return `Run ${steps}, ${keysInWords(preview.keys)}`;
  }
}

/** A plan's title while it runs: "Deleting products of tenant t42". */
export function doing(title: string): string {
  return title.replace(/^(Delete|Purge|Soften|Warm|Refresh)\b/, (verb) => `${verb.replace(/e$/, '')}ing`);
}

/** What was done to the keys that a run counted. */
export function doneWord(plan: Pick<Plan, 'steps'>): string {
  switch (deedOf(plan)) {
    case 'shorten':
      return 'Softened';
    case 'fill':
      return 'Loaded';
    case 'refresh':
      return 'Replaced';
    default:
      return 'Removed';
  }
}

/** Keys that a run has dealt with: loaded where it only loads, otherwise removed or shortened. */
export function doneKeys({ plan, counts }: { plan: Pick<Plan, 'steps'>; counts: RunCounts }): number {
  return deedOf(plan) === 'fill' ? counts.filled : counts.removed;
}

/** What a run left alone, and why: one sentence a reason. */
export function leftAlone(counts: RunCounts): string[] {
  const were = (count: number) => (count === 1 ? 'was' : 'were');
  const told: [count: number, rest: (count: number) => string][] = [
    [counts.gone, (n) => `${were(n)} gone before the run came to ${n === 1 ? 'it' : 'them'}`],
    [counts.protected, (n) => `of protected namespaces ${were(n)} left alone`],
    [counts.too_large, (n) => `too large for the undo file ${were(n)} left alone`],
    [counts.contended, (n) => `that somebody kept writing ${were(n)} left alone`],
    [counts.there, (n) => `${were(n)} there already`],
    [counts.claimed, (n) => `${were(n)} being loaded by somebody else`],
    [counts.failed, () => 'could not be loaded: the endpoint failed'],
    [
      counts.unfilled,
      (n) => `${n === 1 ? 'is' : 'are'} not there although the endpoint says that it is done`,
    ],
    [counts.wrong_ttl, (n) => `${n === 1 ? 'lives' : 'live'} shorter or longer than documented`],
    [counts.moved, (n) => `${were(n)} moving to another server and ${were(n)} left alone`],
    [counts.in_doubt, () => 'may be gone or not: a server did not say whether it removed them'],
  ];
  return told.filter(([count]) => count > 0).map(([count, rest]) => `${keysInWords(count)} ${rest(count)}`);
}

/** The part of the expected keys that is done, from 0 to 1. */
export function doneShare({ counts, expected }: Pick<RunSummary, 'counts' | 'expected'>): number {
  const seen =
    counts.removed +
    counts.gone +
    counts.protected +
    counts.too_large +
    counts.contended +
    counts.moved +
    // What is only filled is in none of those; what is removed and filled again counts once.
    (counts.removed > 0 ? 0 : counts.filled + counts.failed + counts.unfilled + counts.claimed);
  return expected > 0 ? Math.min(1, seen / expected) : 0;
}

/** How what was done stands to what was previewed, one sentence. */
export function compared(removed: number, expected: number, stopped = false): string {
  if (removed === expected) return `Exactly the ${keysInWords(expected)} of the preview.`;
  if (stopped) return `Stopped after ${grouped(removed)} of ${keysInWords(expected)}.`;
  const [more, fewer] = [removed - expected, expected - removed];
  if (more > 0)
    return `${keysInWords(more)} more than the preview counted: written meanwhile within the same scope.`;
  return `${keysInWords(fewer)} fewer than the ${grouped(expected)} of the preview.`;
}

/** How far an undo is: "Put back 1,200 of 12,480 keys". */
export function undoneSoFar({ keys, done }: UndoProgress): string {
  return keys === 0 ? 'Reading the undo file…' : `Put back ${grouped(done)} of ${keysInWords(keys)}…`;
}

/** How a key is used, as the server tells it: "idle 12 s", "used 5 of 255". */
export function useInWords({ idle_seconds, uses }: UsedKey): string {
  return idle_seconds === null ? `used ${uses ?? 0} of 255` : `idle ${span(idle_seconds)}`;
}

/** What an undo did, in order of what matters. */
export function undoLines(result: UndoResult): { status: Status; text: string }[] {
  const lines: { status: Status; text: string }[] = [
    { status: VERDICT.passed, text: `${keysInWords(result.restored)} put back, with value, type and expiry` },
  ];
  const add = (count: number, status: Status, rest: string) => {
    if (count > 0) lines.push({ status, text: `${keysInWords(count)} ${rest}` });
  };
  add(result.conflicts, VERDICT.remark, 'written anew meanwhile: the newer value was left alone');
  add(
    result.expired,
    { shape: 'ring', tone: 'idle', word: 'skipped' },
    'would have expired meanwhile: skipped',
  );
  add(result.unchanged, { shape: 'ring', tone: 'idle', word: 'skipped' }, 'there already, unchanged');
  add(result.failed, VERDICT.refused, `refused by the server${result.why === '' ? '' : `: ${result.why}`}`);
  if (!result.complete)
    lines.push({
      status: VERDICT.refused,
      text: 'Part of the undo file could not be read: not everything is back',
    });
  return lines;
}

/**
 * A sentence of the core as it is set on the page: with a capital, and with long numbers in groups. Addresses and
 * names keep their digits.
 */
export function asSentence(text: string): string {
  const grouping = text.replace(/(?<![\w:.#-])\d{5,15}(?![\w:.-]*\w)/g, (digits) => grouped(Number(digits)));
  return grouping.replace(/^\p{Ll}(?=\p{Ll}*[ ,])/u, (first) => first.toUpperCase());
}

/** A failure as the page sets it: what failed, and what to do, as sentences. Lines to paste stay as they are. */
export function asSaid({ code, message, remedy }: WireError): WireError {
  const ended = (text: string) => (/^\p{Lu}\p{Ll}.*[^.!?:)]$/su.test(text) ? `${text}.` : text);
  return { code, message: ended(asSentence(message)), remedy: ended(asSentence(remedy)) };
}

/** Time left as a clock: "9:41"; "0:00" when it is over. */
export function countdown(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** A run's identity, short enough for a line; the whole is what the command takes. */
export function shortRun(run: string): string {
  return run.length > 8 ? run.slice(0, 6) : run;
}

/** A hash, short enough to compare by eye: "7f3a·91c0". */
export function shortHash(hash: string): string {
  return hash.length < 8 ? hash : `${hash.slice(0, 4)}·${hash.slice(4, 8)}`;
}
