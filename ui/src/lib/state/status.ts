// States as a shape, a tone and a word: never as colour alone.
import type { ConnectionState } from '../bindings/ConnectionState';
import type { DocumentedLimit } from '../bindings/DocumentedLimit';
import type { OverviewRow } from '../bindings/OverviewRow';
import type { SourceHealth } from '../bindings/SourceHealth';
import type { StepResult } from '../bindings/StepResult';

export type Shape =
  'circle' | 'ring' | 'dashed' | 'half' | 'square' | 'diamond' | 'triangle' | 'cross' | 'bar';
export type Tone = 'ok' | 'warn' | 'crit' | 'idle';

export interface Status {
  shape: Shape;
  tone: Tone;
  word: string;
}

const status = (shape: Shape, tone: Tone, word: string): Status => ({ shape, tone, word });

export const CONNECTION: Record<ConnectionState, Status> = {
  connecting: status('dashed', 'idle', 'connecting'),
  live: status('circle', 'ok', 'live'),
  partial: status('half', 'warn', 'partial'),
  lost: status('triangle', 'crit', 'lost'),
  failed: status('cross', 'crit', 'failed'),
};

export const HEALTH: Record<SourceHealth, Status> = {
  starting: status('dashed', 'idle', 'starting'),
  ok: status('circle', 'ok', 'ok'),
  partial: status('half', 'warn', 'partial'),
  off: status('ring', 'idle', 'off'),
  unavailable: status('bar', 'idle', 'unavailable'),
  failed: status('cross', 'crit', 'failed'),
};

export const STEP: Record<StepResult, Status> = {
  ok: status('circle', 'ok', 'works'),
  warning: status('diamond', 'warn', 'works in part'),
  failed: status('cross', 'crit', 'failed'),
  skipped: status('ring', 'idle', 'skipped'),
};

/** A deployment's state; one that is reached but misses its target says so. */
export function ofDeployment(row: OverviewRow): Status {
  if (row.state !== 'live' && row.state !== 'partial') return CONNECTION[row.state];
  if (row.hit_rate !== null && row.hit_rate_target !== null && row.hit_rate < row.hit_rate_target) {
    return status('diamond', 'warn', 'below target');
  }
  return CONNECTION[row.state];
}

/** Worst first: which of several a summary shows. */
const RANK: Tone[] = ['crit', 'warn', 'idle', 'ok'];

/** The worst of some states; a source that is off on purpose is no trouble. */
export function worst(states: Status[]): Status {
  const counted = states.filter(({ word }) => word !== 'off');
  const sorted = [...counted].sort((a, b) => RANK.indexOf(a.tone) - RANK.indexOf(b.tone));
  return sorted[0] ?? HEALTH.off;
}

/**
 * How a hit rate stands to its target: `below` when its whole interval is, `maybe` when only its middle is, else
 * `met`; `null` where there is nothing to compare.
 */
export function standing(
  rate: { value?: number | null; low?: number | null; high?: number | null } | undefined,
  target: number | null,
): 'below' | 'maybe' | 'met' | null {
  if (rate?.value == null || target === null) return null;
  if ((rate.high ?? rate.value) < target) return 'below';
  return rate.value < target ? 'maybe' : 'met';
}

/** Whether a reading is past a documented limit for certain: with its whole interval. */
export function overLimit(
  reading: { value?: number | null; low?: number | null; high?: number | null } | undefined,
  limit: DocumentedLimit | undefined,
): boolean {
  if (reading?.value == null || limit === undefined) return false;
  return limit.above
    ? (reading.low ?? reading.value) > limit.value
    : (reading.high ?? reading.value) < limit.value;
}
