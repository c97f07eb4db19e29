import type { DeploymentId } from '../bindings/DeploymentId';
import type { ForeignAlerts } from '../bindings/ForeignAlerts';
import type { RulesPage } from '../bindings/RulesPage';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';

/** How often rules are read again. */
export const READ_RULES_MS = 10_000;

/** The last answer about one deployment; that about another vanishes at once. */
class OfDeployment<Answer> {
  answer = $state.raw<Answer | null>(null);
  trouble = $state.raw<WireError | null>(null);
  #of: DeploymentId | null = null;
  #newest = 0;
  #ask: (deployment: DeploymentId) => Promise<Answer>;

  constructor(ask: (deployment: DeploymentId) => Promise<Answer>) {
    this.#ask = ask;
  }

  async read(deployment: DeploymentId): Promise<void> {
    const mine = ++this.#newest;
    if (this.#of !== deployment) {
      this.#of = deployment;
      this.answer = null;
      this.trouble = null;
    }
    try {
      const answer = await this.#ask(deployment);
      if (mine !== this.#newest) return;
      this.answer = answer;
      this.trouble = null;
    } catch (error) {
      if (mine === this.#newest) this.trouble = asWireError(error);
    }
  }
}

/** The rules of a deployment. */
export const ruleList = () =>
  new OfDeployment<RulesPage>((deployment) => request({ request: 'alert_rules', deployment }));

/** What the deployment's own Prometheus alerts of. */
export const foreignAlerts = () =>
  new OfDeployment<ForeignAlerts>((deployment) => request({ request: 'foreign_alerts', deployment }));
