// Which action stands beside an alert.
import type { AlertView } from '../bindings/AlertView';

/** An action that fits an alert. */
export interface FittingPlan {
  title: string;
  explained: string;
  /** What is handed on, with the deployment. */
  wish: { playbook: string } | { warm: string };
}

/** Every playbook and warm plan that fits, the documented ones first. */
export function plansOf(view: AlertView): FittingPlan[] {
  return [
    ...view.playbooks.map(({ name, title }) => ({
      title,
      explained: 'Opens the playbook’s plan. Nothing is removed before a preview and an approval.',
      wish: { playbook: name },
    })),
    ...view.warm_plans.map(({ name, title }) => ({
      title,
      explained: 'Opens the warm plan. Nothing is requested before a preview and an approval.',
      wish: { warm: name },
    })),
  ];
}

/** The one that stands in the strip. */
export function planOf(view: AlertView): FittingPlan | null {
  return plansOf(view)[0] ?? null;
}
