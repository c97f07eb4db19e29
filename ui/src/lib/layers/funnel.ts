// The caches of a request in their order, with what each of them lets through.
import type { InstanceFrame } from '../bindings/InstanceFrame';
import type { LayerView } from '../bindings/LayerView';
import type { PartSnapshot } from '../bindings/PartSnapshot';
import type { Reading } from '../bindings/Reading';

/** What is known of a layer's traffic. */
export interface Flow {
  /** Share that it answers; `null` where nothing was looked up. */
  hitRate: number | null;
  lookups: number;
  /** A second, to the next layer. */
  goesOn: number | null;
  source: string;
}

/** A layer as documented, as counted, or both. */
export interface Stage {
  name: string;
  title: string;
  documented: LayerView | null;
  /** `null` where nothing is known; then `why` says so. */
  flow: Flow | null;
  why: string;
}

type Readings = { [kind in keyof InstanceFrame['readings']]?: Reading };

function flowOf(readings: Readings): Flow | null {
  const lookups = readings.lookups_per_second?.value;
  if (lookups == null) return null;
  const hitRate = readings.hit_rate?.value ?? null;
  return {
    hitRate,
    lookups,
    goesOn: readings.misses_per_second?.value ?? (hitRate === null ? null : lookups * (1 - hitRate)),
    source: readings.lookups_per_second?.source ?? '',
  };
}

/**
 * The stages in the document's order; layers that are counted and not documented stand at the end. Redis is known from
 * its own counters where the application does not count it.
 */
export function stages(
  documented: readonly LayerView[],
  counted: readonly PartSnapshot[],
  instance: Readings,
): Stage[] {
  const parts = new Map(counted.map((part) => [part.name, part]));
  const known = documented.map((layer): Stage => {
    const part = parts.get(layer.name);
    const flow = (part && flowOf(part.readings)) ?? (layer.is_redis ? flowOf(instance) : null);
    return {
      name: layer.name,
      title: layer.title,
      documented: layer,
      flow,
      why: flow
        ? ''
        : layer.planned
          ? 'Not built yet, by the document.'
          : notMeasured(reasonOf(part, layer, instance)),
    };
  });
  const names = new Set(documented.map(({ name }) => name));
  const others = counted
    .filter(({ name }) => !names.has(name))
    .map(({ name, title, readings }): Stage => {
      const flow = flowOf(readings);
      return {
        name,
        title: title || name,
        documented: null,
        flow,
        why: flow ? '' : notMeasured(readings.hit_rate?.reason ?? 'nobody says why'),
      };
    });
  return [...known, ...others];
}

/** A reason as a sentence; reasons come with and without a full stop. */
function notMeasured(reason: string): string {
  return `Not measured: ${reason.replace(/\.$/, '')}.`;
}

function reasonOf(part: PartSnapshot | undefined, layer: LayerView, instance: Readings): string {
  const own = part?.readings.hit_rate?.reason ?? part?.readings.lookups_per_second?.reason;
  return own ?? (layer.is_redis ? instance.hit_rate?.reason : undefined) ?? 'nothing counts it';
}

/** The most that any stage is asked: what the bars are shares of. */
export function mostAsked(all: readonly Stage[]): number {
  return Math.max(0, ...all.map(({ flow }) => flow?.lookups ?? 0));
}
