import type { AuditFormat } from '../bindings/AuditFormat';
import type { AuditRow } from '../bindings/AuditRow';
import type { AuditVerdict } from '../bindings/AuditVerdict';
import type { DeploymentId } from '../bindings/DeploymentId';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';

/** The audit as far back as was asked for, newest first, and whether it is whole. */
export class Audit {
  rows = $state.raw<AuditRow[] | null>(null);
  /** Whether the core may have older ones. */
  more = $state(false);
  verdict = $state.raw<AuditVerdict | null>(null);
  verifying = $state(false);
  trouble = $state.raw<WireError | null>(null);

  constructor(readonly deployment: DeploymentId | null) {}

  /** Reads the newest rows, or those before the oldest that are here. */
  async read(older = false): Promise<void> {
    const before = older ? (this.rows?.at(-1)?.number ?? null) : null;
    try {
      const rows = await request({ request: 'audit', deployment: this.deployment, before });
      this.rows = older ? [...(this.rows ?? []), ...rows] : rows;
      // The first row of all has the number 1, so nothing can be older.
      this.more = rows.length > 0 && (rows.at(-1)?.number ?? 1) > 1;
      this.trouble = null;
    } catch (error) {
      this.trouble = asWireError(error);
    }
  }

  /** Has every row's hash computed again. */
  async verify(): Promise<void> {
    this.verifying = true;
    try {
      this.verdict = await request({ request: 'verify_audit' });
      this.trouble = null;
    } catch (error) {
      this.trouble = asWireError(error);
    } finally {
      this.verifying = false;
    }
  }

  /** The whole audit as text. Rejects with a `WireError`. */
  export(format: AuditFormat): Promise<string> {
    return request({ request: 'export_audit', format });
  }
}
