// An alert for tests, to be changed where a test is about it.
import type { Alert } from '../bindings/Alert';
import type { AlertCounts } from '../bindings/AlertCounts';
import type { AlertView } from '../bindings/AlertView';
import type { Triage } from '../bindings/Triage';

export function alertView(view: Partial<AlertView> = {}, alert: Partial<Alert> = {}): AlertView {
  const labels = alert.labels ?? { namespace: 'sessions' };
  const rule = alert.rule ?? 'LowHitRate';
  return {
    alert_ref: { deployment: 'a', rule, labels },
    deployment_name: 'prod-eu-1',
    alert: {
      rule,
      labels,
      state: 'firing',
      active_at: 1_000,
      fired_at: 2_000,
      resolved_at: null,
      value: 0.713,
      low: null,
      high: null,
      keep_firing_since: null,
      gap: null,
      reason: '',
      ...alert,
    },
    severity: 'critical',
    summary: 'Hit rate below its target',
    subject: 'Sessions',
    namespace: 'session:{sessionId}',
    threshold: 0.95,
    above: false,
    unit: 'ratio',
    reading: 'hit_rate',
    window_seconds: 60,
    documented: 'Session cache: > 95 % hit rate',
    action: '',
    playbooks: [],
    warm_plans: [],
    acknowledged: null,
    silenced_by: null,
    triage: null,
    ...view,
  };
}

export function triage(some: Partial<Triage> = {}): Triage {
  return {
    sentence: '',
    at: 0,
    onset: null,
    subject: 'hit rate',
    value: 0.713,
    before: null,
    threshold: 0.95,
    unit: 'ratio',
    carried: 'extra misses',
    carried_unit: 'per_second',
    carriers: [],
    tenants: [],
    causes: [],
    memory: null,
    causes_of_all: false,
    ttl_cliff: null,
    grown: null,
    new_version: null,
    near: [],
    advice: '',
    playbooks: [],
    warm_plans: [],
    ...some,
  };
}

export function counts(some: Partial<AlertCounts>): AlertCounts {
  return { critical: 0, warning: 0, info: 0, pending: 0, quiet: 0, failing: 0, ...some };
}
