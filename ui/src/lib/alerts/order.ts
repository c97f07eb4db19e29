// Which alert stands where: worst first, together with those of the same deployment and cause.
import type { AlertRef } from '../bindings/AlertRef';
import type { AlertView } from '../bindings/AlertView';
import type { DeploymentId } from '../bindings/DeploymentId';
import { CAUSE_WORDS, MARK_WORDS, isLoud, isQuiet } from './words';

/** An alert's identity as one text: for keys of lists. */
export function keyOf(ref: AlertRef): string {
  const labels = Object.entries(ref.labels).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([ref.deployment, ref.rule, labels]);
}

/** Whether two references name the same alert. */
export function same(one: AlertRef | null, other: AlertRef | null): boolean {
  return one !== null && other !== null && keyOf(one) === keyOf(other);
}

const STATES = ['firing', 'pending', 'resolved', 'inactive'];
const SEVERITIES = ['critical', 'warning', 'info'];

/** Firing before pending before resolved, loud before quiet, severe before mild, new before old. */
export function worstFirst(one: AlertView, other: AlertView): number {
  return (
    STATES.indexOf(one.alert.state) - STATES.indexOf(other.alert.state) ||
    Number(isQuiet(one)) - Number(isQuiet(other)) ||
    SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity) ||
    other.alert.active_at - one.alert.active_at ||
    (keyOf(one.alert_ref) < keyOf(other.alert_ref) ? -1 : 1)
  );
}

/** Whether an alert is about one of many: a tenant says less about the whole than its namespace does. */
const isOfTenant = ({ alert }: AlertView) => alert.labels['tenant'] !== undefined;

/**
 * The alert that says most to whoever is called: the most severe, of the whole rather than of a tenant, explained rather
 * than not, and the newest; and how many more call.
 */
export function worstLoud(views: readonly AlertView[]): { view: AlertView; more: number } | null {
  const loud = views
    .filter(isLoud)
    .sort(
      (one, other) =>
        SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity) ||
        Number(isOfTenant(one)) - Number(isOfTenant(other)) ||
        Number(one.triage === null) - Number(other.triage === null) ||
        worstFirst(one, other),
    );
  const view = loud[0];
  return view ? { view, more: loud.length - 1 } : null;
}

/** Which states a list shows. */
export const SHOWN = ['all', 'firing', 'pending', 'resolved'] as const;
export type Shown = (typeof SHOWN)[number];

/** The alerts of a state that hold every word of a filter somewhere, the worst first. */
export function matching(views: readonly AlertView[], shown: Shown, filter: string): AlertView[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (view: AlertView) =>
    [
      view.deployment_name,
      view.subject,
      view.summary,
      view.alert.rule,
      view.severity,
      view.namespace ?? '',
      ...Object.values(view.alert.labels),
    ]
      .join(' ')
      .toLowerCase();
  return views
    .filter((view) => shown === 'all' || view.alert.state === shown)
    .filter((view) => words.every((word) => text(view).includes(word)))
    .sort(worstFirst);
}

/** Alerts that belong together. */
export interface CauseGroup {
  key: string;
  title: string;
  alerts: AlertView[];
}

/** The alerts of one deployment. */
export interface DeploymentGroup {
  deployment: DeploymentId;
  name: string;
  causes: CauseGroup[];
  count: number;
}

/** Something that was done this shortly before the onset names the group. */
const JUST_MS = 120_000;

function causeOf(view: AlertView): { key: string; title: string } {
  if (view.alert.state === 'resolved') return { key: 'resolved', title: 'Resolved within 15 minutes' };
  if (view.alert.state === 'pending') return { key: 'pending', title: 'Pending' };
  if (isQuiet(view)) return { key: 'quiet', title: 'Acknowledged or silenced' };
  const { triage } = view;
  const onset = triage?.onset ?? view.alert.active_at;
  const mark = triage?.near.find(({ at }) => at <= onset && onset - at <= JUST_MS);
  if (mark)
    return { key: `mark ${mark.at} ${mark.text}`, title: `After ${MARK_WORDS[mark.kind]} ${mark.text}` };
  const cause = triage?.causes[0];
  if (cause && cause.share >= 0.5)
    return { key: `cause ${cause.cause}`, title: `Missed keys: ${CAUSE_WORDS[cause.cause]}` };
  return { key: `rule ${view.alert.rule}`, title: view.summary };
}

/** Alerts, worst first, by deployment and cause. The order of the groups is that of their worst alert. */
export function inGroups(views: readonly AlertView[]): DeploymentGroup[] {
  const groups: DeploymentGroup[] = [];
  for (const view of views) {
    const { deployment } = view.alert_ref;
    let group = groups.find((known) => known.deployment === deployment);
    if (!group) {
      group = { deployment, name: view.deployment_name, causes: [], count: 0 };
      groups.push(group);
    }
    const { key, title } = causeOf(view);
    let cause = group.causes.find((known) => known.key === key);
    if (!cause) {
      cause = { key, title, alerts: [] };
      group.causes.push(cause);
    }
    cause.alerts.push(view);
    group.count += 1;
  }
  return groups;
}

/** A group's name among those of all deployments. */
export function groupName(
  { deployment }: Pick<DeploymentGroup, 'deployment'>,
  { key }: Pick<CauseGroup, 'key'>,
): string {
  return `${deployment} ${key}`;
}

/** A group shows so many of its alerts until all are asked for; two more are shown rather than counted. */
const SHOWN_FIRST = 6;

/** The alerts of a group that are shown, and how many are not. */
export function firstOf(group: CauseGroup, opened: boolean): { shown: AlertView[]; hidden: number } {
  if (opened || group.alerts.length <= SHOWN_FIRST + 2) return { shown: group.alerts, hidden: 0 };
  return { shown: group.alerts.slice(0, SHOWN_FIRST), hidden: group.alerts.length - SHOWN_FIRST };
}

/**
 * Groups that were shown before, with new figures at old places: for as long as somebody has the pointer in the list.
 * What is gone keeps its last figures; what is new or would stand elsewhere is told by `moved`.
 */
export function heldGroups(
  before: readonly DeploymentGroup[],
  views: readonly AlertView[],
): { groups: DeploymentGroup[]; moved: boolean } {
  const fresh = new Map(views.map((view) => [keyOf(view.alert_ref), view]));
  const groups = before.map((group) => ({
    ...group,
    causes: group.causes.map((cause) => ({
      ...cause,
      alerts: cause.alerts.map((view) => fresh.get(keyOf(view.alert_ref)) ?? view),
    })),
  }));
  const places = (all: readonly DeploymentGroup[]) =>
    all.flatMap(({ causes }) =>
      causes.flatMap(({ key, alerts }) => alerts.map((it) => [key, keyOf(it.alert_ref)])),
    );
  return { groups, moved: JSON.stringify(places(groups)) !== JSON.stringify(places(inGroups(views))) };
}
