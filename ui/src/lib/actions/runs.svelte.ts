import type { HistoryPoint } from '../bindings/HistoryPoint';
import type { Preview } from '../bindings/Preview';
import type { Request } from '../bindings/Request';
import type { RunState } from '../bindings/RunState';
import type { RunSummary } from '../bindings/RunSummary';
import type { UndoPart } from '../bindings/UndoPart';
import type { UndoResult } from '../bindings/UndoResult';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';
import { withPoint } from './track';
import { isActive, isOver, isUndecided } from './words';

/** How often a run that is looked at is read. */
const TICK_MS = 500;
/** Every how many ticks the list, and the runs that nobody looks at, are read. */
const LIST_EVERY = 4;

/** What the page knows of one run beside its state. */
export interface Kept {
  state: RunState;
  /** What others felt, as far as it was seen from here. */
  p99: readonly HistoryPoint[];
  /** What its undo did, where it was undone from here. */
  undone: UndoResult | null;
}

/** The runs of all deployments. They go on in the core, whether anybody looks or not. */
export class Runs {
  /** Newest first; `null` until it was read. */
  list = $state.raw<RunSummary[] | null>(null);
  trouble = $state.raw<WireError | null>(null);
  /** Runs whose state is known, by their identity. */
  kept = $state.raw<Readonly<Record<string, Kept>>>({});
  /** The run that the sheet shows. */
  looked = $state<string | null>(null);
  /** Previews of this session by their plan's hash, to hold a run against. */
  #previews: Record<string, Preview> = {};
  #tick = 0;
  #busy = false;

  /** Runs that work, or that wait for a decision, the worst first. */
  readonly open = $derived.by(() => {
    const open = (this.list ?? []).filter((run) => isActive(run.phase) || this.#waits(run));
    const rank = ({ phase }: RunSummary) => (phase === 'halted' || phase === 'interrupted' ? 0 : 1);
    return open.sort((a, b) => rank(a) - rank(b) || b.began - a.began);
  });

  /** Whether somebody has to decide about it: not where it was undone. */
  #waits({ phase, undo }: RunSummary): boolean {
    return isUndecided(phase) && undo.undo !== 'done';
  }

  /** Starts reading; returns how to stop. */
  start(): () => void {
    void this.#read();
    const timer = setInterval(() => void this.#read(), TICK_MS);
    return () => clearInterval(timer);
  }

  previewOf(planHash: string): Preview | undefined {
    return this.#previews[planHash];
  }

  /** Runs what was approved. Rejects with a `WireError`. */
  async run(preview: Preview, asked: Extract<Request, { request: 'run_action' }>): Promise<RunState> {
    this.#previews[preview.plan_hash] = preview;
    return this.#take(await request(asked));
  }

  /** Pauses, resumes or stops a run. Rejects with a `WireError`. */
  async steer(how: 'pause_run' | 'resume_run' | 'cancel_run', run: string): Promise<RunState> {
    return this.#take(await request({ request: how, run }));
  }

  /** Puts back what a run removed, or part of it. Rejects with a `WireError`. */
  async undo(run: string, part: UndoPart): Promise<UndoResult> {
    const undone = await request({ request: 'undo_run', run, part });
    const kept = this.kept[run];
    if (kept) this.kept = { ...this.kept, [run]: { ...kept, undone } };
    await this.readList();
    return undone;
  }

  /** Reads one run. Rejects with a `WireError`. */
  async readRun(run: string): Promise<RunState> {
    return this.#take(await request({ request: 'run', run }));
  }

  async readList(): Promise<void> {
    try {
      this.list = await request({ request: 'runs', deployment: null });
      this.trouble = null;
    } catch (error) {
      this.trouble = asWireError(error);
    }
  }

  #take(state: RunState): RunState {
    const before = this.kept[state.run];
    // An answer that was overtaken by a newer one says nothing new.
    if (before && before.state.at > state.at) return before.state;
    const p99 = withPoint(before?.p99 ?? [], state);
    this.kept = { ...this.kept, [state.run]: { state, p99, undone: before?.undone ?? null } };
    return state;
  }

  /** One reading at a time: a slow answer delays the next question instead of piling them up. */
  async #read(): Promise<void> {
    if (this.#busy || document.hidden) return;
    this.#busy = true;
    const all = this.#tick % LIST_EVERY === 0;
    this.#tick += 1;
    try {
      if (all) await this.readList();
      const looked = this.looked;
      if (looked !== null && !this.#settled(looked)) await this.readRun(looked);
      for (const { run, phase } of all ? this.open : [])
        if (isActive(phase) && run !== looked) await this.readRun(run);
    } catch (error) {
      this.trouble = asWireError(error);
    } finally {
      this.#busy = false;
    }
  }

  #settled(run: string): boolean {
    const phase = this.kept[run]?.state.phase;
    return phase !== undefined && isOver(phase);
  }
}

export const runs = new Runs();
