import type { DeploymentView } from '../bindings/DeploymentView';

/** Deployments of a group stand together, where the first of them stood; the others keep their places. */
export function byGroup(views: readonly DeploymentView[]): DeploymentView[] {
  const groups = new Map<string, DeploymentView[]>();
  for (const view of views) {
    const group = view.deployment.group ?? `\0${view.deployment.id}`;
    groups.set(group, [...(groups.get(group) ?? []), view]);
  }
  return [...groups.values()].flat();
}
