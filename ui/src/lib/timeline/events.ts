// What stands beside the line in the charts of a deployment or of one of its namespaces.
import { markInChart } from '../alerts/chart';
import type { AlertView } from '../bindings/AlertView';
import type { TimelineEntry } from '../bindings/TimelineEntry';
import type { ChartEvent } from '../charts/plot';

/** Alerts that begin within this time of each other are one line. */
const TOGETHER_MS = 1_000;

/** Marks of the timeline, and when the alerts about this namespace (`null`: about none) began to fire. */
export function chartEvents(
  entries: readonly TimelineEntry[],
  views: readonly AlertView[],
  namespace: string | null,
): ChartEvent[] {
  const marks = entries.flatMap((entry) => (entry.kind === 'mark' ? [markInChart(entry.mark)] : []));
  const fired = views
    .filter((view) => view.namespace === namespace && view.alert.fired_at !== null)
    .map(({ alert, severity }) => ({ at: alert.fired_at ?? 0, severity }))
    .sort((one, other) => one.at - other.at)
    .filter(({ at }, place, all) => place === 0 || at - (all[place - 1]?.at ?? 0) >= TOGETHER_MS)
    .map(({ at, severity }) => ({
      at,
      name: 'alert',
      colour: severity === 'critical' ? '--crit' : severity === 'warning' ? '--warn' : '--t3',
    }));
  return [...marks, ...fired].sort((one, other) => one.at - other.at);
}
