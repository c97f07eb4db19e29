import type { DeploymentId } from '../bindings/DeploymentId';
import type { HowToRun } from '../bindings/HowToRun';
import type { PlaybookView } from '../bindings/PlaybookView';
import type { PreviewedAction } from '../bindings/PreviewedAction';
import type { PreviewProgress } from '../bindings/PreviewProgress';
import type { Timestamp } from '../bindings/Timestamp';
import type { UndoProgress } from '../bindings/UndoProgress';
import type { WarmPlanView } from '../bindings/WarmPlanView';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';
import { armed } from './armed.svelte';
import { obstacles, type Obstacle } from './guards';
import { runs } from './runs.svelte';
import { draftOf, missing, scopeOf, type ActionWish, type ScopeForm } from './scope';
import { asSaid, isActive, isOver } from './words';

export type Step = 'scope' | 'preview' | 'guards' | 'run' | 'result';

export const STEPS: { step: Step; name: string }[] = [
  { step: 'scope', name: 'Scope' },
  { step: 'preview', name: 'Preview' },
  { step: 'guards', name: 'Guards' },
  { step: 'run', name: 'Run' },
  { step: 'result', name: 'Result' },
];

const ASK_EVERY_MS = 200;
const UNDO_READ_MS = 500;
/** A run that was called off ends after one exchange; one that takes longer has lost its server. */
const ENDS_WITHIN_MS = 10_000;

/** One action on its way from what is meant to what was done. The core makes, counts, judges and runs the plan. */
export class ActionSheet {
  readonly deployment: DeploymentId;
  step = $state<Step>('scope');
  form = $state<ScopeForm>(scopeOf({}));
  /** The strategy's playbooks; `null` until they were read. */
  playbooks = $state.raw<PlaybookView[] | null>(null);
  /** The strategy's warm plans; `null` until they were read. */
  warms = $state.raw<WarmPlanView[] | null>(null);
  /** How the count goes. */
  progress = $state.raw<PreviewProgress | null>(null);
  #previewed = $state.raw<PreviewedAction | null>(null);
  /** What the preview was made for: once something else is meant, it says nothing. */
  #countedFor = $state('');
  readonly previewed = $derived(this.#countedFor === this.#meant() ? this.#previewed : null);
  /** How it is to be run, which differs from the preview's once something was changed. */
  how = $state.raw<HowToRun | null>(null);
  typedName = $state('');
  reason = $state('');
  run = $state<string | null>(null);
  /** How far an undo is; `null` while none is on its way. */
  undoing = $state.raw<UndoProgress | null>(null);
  trouble = $state.raw<WireError | null>(null);
  /** Requests on their way. */
  #asking = $state(0);
  readonly busy = $derived(this.#asking > 0);
  /** Grows with each count that was begun: what an older one answers is dropped. */
  #count = 0;

  constructor(deployment: DeploymentId) {
    this.deployment = deployment;
  }

  /** A sheet for a wish. Where nothing is missing, the count begins at once. */
  static of(wish: ActionWish): ActionSheet {
    const sheet = new ActionSheet(wish.deployment);
    sheet.form = scopeOf(wish);
    void sheet.#begin(wish);
    return sheet;
  }

  /** A sheet on a run that was begun before. */
  static on(run: { run: string; deployment: DeploymentId; over: boolean }): ActionSheet {
    const sheet = new ActionSheet(run.deployment);
    sheet.run = run.run;
    sheet.step = run.over ? 'result' : 'run';
    return sheet;
  }

  readonly counting = $derived(this.progress !== null && this.previewed === null && this.trouble === null);
  readonly kept = $derived(this.run === null ? undefined : runs.kept[this.run]);
  /** What is missing before the count. */
  readonly missing = $derived(missing(this.form, this.playbooks));

  /** What is still in the way of the run. */
  obstacles(now: Timestamp): Obstacle[] {
    const { previewed, how } = this;
    if (previewed === null || how === null) return [];
    const armedUntil = armed.until(this.deployment);
    return obstacles(previewed, { typedName: this.typedName, reason: this.reason, armedUntil, how, now });
  }

  async #begin(wish: ActionWish): Promise<void> {
    void this.#ask(() => armed.read(this.deployment));
    await this.#ask(async () => {
      this.playbooks = await request({ request: 'playbooks', deployment: this.deployment });
      this.warms = await request({ request: 'warm_plans', deployment: this.deployment });
    });
    // A warm is looked at first: where keys are loaded from is seldom known beforehand.
    if (this.form.kind === 'warm') return;
    const meant = wish.namespace !== undefined || wish.playbook !== undefined;
    if (meant && this.step === 'scope' && this.missing === null) await this.count();
  }

  /** Keeps the secret of the endpoint, under the name that the plan knows it by. */
  async keepSecret(secret: string): Promise<void> {
    const { deployment } = this;
    const name = this.form.warm.secret;
    await this.#ask(
      async () => void (await request({ request: 'set_endpoint_secret', deployment, name, secret })),
    );
  }

  /** Counts what the plan would reach. It writes nothing. */
  async count(how: HowToRun | null = this.how): Promise<void> {
    const mine = ++this.#count;
    const { deployment } = this;
    this.#previewed = null;
    this.#countedFor = this.#meant();
    this.progress = null;
    this.step = 'preview';
    await this.#ask(async () => {
      const { preview } = await request({
        request: 'preview_action',
        deployment,
        draft: draftOf(this.form),
        how,
      });
      this.progress = { preview, scanned: 0, all_keys: 0, keys: 0, finished: null, failed: null };
      for (;;) {
        const progress = await request({ request: 'preview_progress', preview });
        if (mine !== this.#count) return;
        if (progress.failed) throw progress.failed;
        this.progress = progress;
        if (progress.finished) return this.#counted(progress.finished);
        await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
      }
    });
  }

  #counted(previewed: PreviewedAction): void {
    this.#previewed = previewed;
    this.how = previewed.preview.plan.how;
    if (this.step === 'preview') this.step = 'guards';
  }

  /** Ends a count that is on its way; the scope can be changed again. */
  stopCounting(): void {
    this.#count += 1;
    const preview = this.progress?.preview;
    this.progress = null;
    // Whether it ends now or by itself makes no difference: it writes nothing.
    if (preview !== undefined) void request({ request: 'cancel_preview', preview }).catch(() => {});
  }

  /** Goes back to what is meant. */
  toScope(): void {
    if (this.counting) this.stopCounting();
    this.trouble = null;
    this.step = 'scope';
  }

  /** Arms the deployment with the name that was typed. */
  async arm(): Promise<void> {
    await this.#ask(() => armed.arm(this.deployment, this.typedName));
  }

  /** Runs exactly what was shown. */
  async start(now: Timestamp): Promise<void> {
    const { previewed } = this;
    const approval = previewed?.approval;
    if (!previewed || !approval || this.busy || this.obstacles(now).length > 0) return;
    const { preview, wants } = previewed;
    // An approval holds once: whatever comes of this request, the next one wants a new count.
    this.#previewed = { ...previewed, approval: { ...approval, expires_at: 0 } };
    await this.#ask(async () => {
      const state = await runs.run(preview, {
        request: 'run_action',
        deployment: this.deployment,
        approval: approval.token,
        plan_hash: preview.plan_hash,
        typed_name: wants.typed_name === null ? null : this.typedName,
        reason: this.reason.trim() === '' ? null : this.reason.trim(),
      });
      this.run = state.run;
      runs.looked = state.run;
      this.step = 'run';
    });
  }

  async steer(how: 'pause_run' | 'resume_run' | 'cancel_run'): Promise<void> {
    const { run } = this;
    // Stopping waits for nothing, whatever else is on its way.
    if (run === null || (this.busy && how !== 'cancel_run')) return;
    await this.#ask(async () => {
      const { phase } = await runs.steer(how, run);
      if (isOver(phase)) this.step = 'result';
    });
  }

  /** Stops the run where it still works, then puts back what it removed. */
  async stopAndUndo(): Promise<void> {
    const phase = this.kept?.state.phase;
    if (phase !== undefined && (isActive(phase) || phase === 'paused')) {
      await this.steer('cancel_run');
      if (this.trouble === null) await this.#ask(() => this.#ended());
    }
    if (this.trouble === null) await this.undo(null, []);
  }

  /** Waits until the exchange under way has ended: only then is the undo file whole. */
  async #ended(): Promise<void> {
    const until = Date.now() + ENDS_WITHIN_MS;
    while (this.run !== null && Date.now() < until) {
      if (isOver((await runs.readRun(this.run)).phase)) return;
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
    throw {
      code: 'internal',
      message: 'The run has not stopped yet.',
      remedy: 'Wait a moment, then undo it.',
    };
  }

  /** Puts back everything, or only one namespace's keys, or only some keys. */
  async undo(namespace: string | null, keys: string[]): Promise<void> {
    const { run } = this;
    if (run === null || this.busy) return;
    const part = { namespace, keys: keys.length === 0 ? null : keys };
    await this.#ask(async () => {
      const timer = setInterval(() => void this.#readUndo(run), UNDO_READ_MS);
      try {
        await runs.undo(run, part);
      } finally {
        clearInterval(timer);
        this.undoing = null;
      }
      this.step = 'result';
    });
  }

  /** Reads how far an undo is. One that can't be read shows nothing: the undo itself will say what is wrong. */
  async #readUndo(run: string): Promise<void> {
    try {
      const progress = await request({ request: 'undo_progress', run });
      if (this.busy) this.undoing = progress.under_way ? progress : null;
    } catch {
      this.undoing = null;
    }
  }

  /** Lets go of it. A count ends; a run goes on. */
  close(): void {
    if (this.counting) this.stopCounting();
    runs.looked = null;
  }

  #meant(): string {
    return JSON.stringify(draftOf(this.form));
  }

  /** Has its run read often, from now on. */
  look(): void {
    const { run } = this;
    runs.looked = run;
    if (run !== null) void this.#ask(async () => void (await runs.readRun(run)));
  }

  async #ask(step: () => Promise<void>): Promise<void> {
    this.#asking += 1;
    this.trouble = null;
    try {
      await step();
    } catch (error) {
      this.trouble = asSaid(asWireError(error));
    } finally {
      this.#asking -= 1;
    }
  }
}
