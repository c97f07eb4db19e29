import type { CausePoint } from '../bindings/CausePoint';
import type { DeploymentId } from '../bindings/DeploymentId';
import type { HistorySeries } from '../bindings/HistorySeries';
import type { ReadingKind } from '../bindings/ReadingKind';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';

/** What a history is of. */
export interface HistoryOf {
  deployment: DeploymentId;
  /** `null` is the whole deployment. */
  namespace: string | null;
  kinds: ReadingKind[];
  seconds: number;
  points: number;
}

/** Histories of some readings. The last answer stays until the next one is there. */
export class History {
  series = $state.raw<HistorySeries[] | null>(null);
  trouble = $state.raw<WireError | null>(null);
  #newest = 0;

  async read(of: HistoryOf): Promise<void> {
    const mine = ++this.#newest;
    try {
      const series = await request({ request: 'history', ...of });
      if (mine !== this.#newest) return;
      this.series = series;
      this.trouble = null;
    } catch (error) {
      if (mine === this.#newest) this.trouble = asWireError(error);
    }
  }

  /** Values of one reading, oldest first; empty while not known. */
  values(kind: ReadingKind): (number | null)[] {
    return this.series?.find((one) => one.kind === kind)?.points.map(({ value }) => value) ?? [];
  }
}

/** Misses by cause over time. The last answer stays until the next one is there. */
export class CauseHistory {
  points = $state.raw<CausePoint[] | null>(null);
  /** The span that the points cover. */
  seconds = $state.raw(0);
  trouble = $state.raw<WireError | null>(null);
  #newest = 0;

  async read(of: Omit<HistoryOf, 'kinds'>): Promise<void> {
    const mine = ++this.#newest;
    try {
      const points = await request({ request: 'cause_history', ...of });
      if (mine !== this.#newest) return;
      this.points = points;
      this.seconds = of.seconds;
      this.trouble = null;
    } catch (error) {
      if (mine === this.#newest) this.trouble = asWireError(error);
    }
  }
}
