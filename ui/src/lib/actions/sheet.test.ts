import { beforeEach, expect, test, vi } from 'vitest';

import type { Reply } from '../bindings/Reply';
import type { Request } from '../bindings/Request';
import type { RunPhase } from '../bindings/RunPhase';
import { useTransport } from '../host/host';
import { HASH, previewedOf, previewOf } from '../host/fixture/plans';
import { InventedRun } from '../host/fixture/runs';
import { runs } from './runs.svelte';
import { ActionSheet } from './sheet.svelte';

/** A core that answers by the fixture's figures, counts what it is asked, and can be told to refuse. */
class Core {
  asked: Request[] = [];
  refuses: Request['request'] | null = null;
  finishes = true;
  /** The phases that a run is told to be in, one a question; the last one stays. */
  phases: RunPhase[] = ['running'];
  #preview = previewOf('d', { kind: 'pattern', pattern: 'a:*', database: null }, null, '');

  of<Name extends Request['request']>(name: Name): Extract<Request, { request: Name }>[] {
    return this.asked.filter((one): one is Extract<Request, { request: Name }> => one.request === name);
  }

  answer(asked: Request): Reply {
    this.asked.push(asked);
    if (asked.request === this.refuses)
      throw { code: 'not_approved', message: 'it is void', remedy: 'count again' };
    switch (asked.request) {
      case 'playbooks':
        return { reply: asked.request, data: [] };
      case 'armed_until':
        return { reply: asked.request, data: { until: null } };
      case 'preview_action':
        this.#preview = previewOf(asked.deployment, asked.draft, asked.how, '');
        return { reply: asked.request, data: { preview: `p${this.of('preview_action').length}` } };
      case 'preview_progress': {
        const { preview } = asked;
        const finished = this.finishes ? previewedOf(this.#preview, false, '') : null;
        return {
          reply: asked.request,
          data: { preview, scanned: 1, all_keys: 2, keys: 1, finished, failed: null },
        };
      }
      case 'cancel_preview':
        return { reply: asked.request, data: {} };
      case 'run_action':
      case 'cancel_run':
      case 'run': {
        const phase = (this.phases.length > 1 ? this.phases.shift() : this.phases[0]) ?? 'running';
        const state = new InventedRun('7', 'd', 'dev', this.#preview.plan, '', 100, 100).state();
        return { reply: asked.request, data: { ...state, phase } };
      }
      case 'undo_run':
        return {
          reply: asked.request,
          data: {
            ...{ run: asked.run, restored: 5, conflicts: 0, conflicting: [], unchanged: 0, expired: 0 },
            ...{ failed: 0, why: '', complete: true },
          },
        };
      case 'runs':
        return { reply: asked.request, data: [] };
      default:
        throw new Error(`Nobody asks for ${asked.request} here.`);
    }
  }
}

let core: Core;
beforeEach(() => {
  core = new Core();
  runs.kept = {};
  useTransport({
    request: (asked) => Promise.resolve().then(() => core.answer(asked)),
    watch: () => Promise.resolve(),
  });
});

const counted = async () => {
  const sheet = ActionSheet.of({ deployment: 'd', namespace: 'a:{b}' });
  await vi.waitFor(() => expect(sheet.step).toBe('guards'));
  await vi.waitFor(() => expect(sheet.busy).toBe(false));
  return sheet;
};

test('one click on a namespace counts it, and nothing is in the way of the second on a development deployment', async () => {
  const sheet = await counted();
  expect(sheet.obstacles(Date.now())).toEqual([]);
  await sheet.start(Date.now());
  expect(core.of('run_action')).toMatchObject([
    { approval: 't', plan_hash: HASH, typed_name: null, reason: null },
  ]);
  expect(sheet.step).toBe('run');
});

test('without a scope nothing is counted by itself', async () => {
  const sheet = ActionSheet.of({ deployment: 'd' });
  await vi.waitFor(() => expect(sheet.playbooks).not.toBe(null));
  expect(sheet.step).toBe('scope');
  expect(core.of('preview_action')).toEqual([]);
});

test('a preview says nothing about another scope', async () => {
  const sheet = await counted();
  sheet.form.tenant = 't7';
  expect(sheet.previewed).toBe(null);
  await sheet.start(Date.now());
  expect(core.of('run_action')).toEqual([]);
  sheet.form.tenant = '';
  expect(sheet.previewed).not.toBe(null);
});

test('an approval is used once: after a refusal it has to be counted again', async () => {
  const sheet = await counted();
  core.refuses = 'run_action';
  await sheet.start(Date.now());
  expect(sheet.trouble).toMatchObject({ message: 'It is void.', remedy: 'Count again.' });
  expect(sheet.obstacles(Date.now())).toEqual(['expired']);
  core.refuses = null;
  await sheet.start(Date.now());
  expect(core.of('run_action')).toHaveLength(1);
  await sheet.count();
  await sheet.start(Date.now());
  expect(core.of('run_action')).toHaveLength(2);
});

test('another way to run is counted with that way', async () => {
  const sheet = await counted();
  sheet.how = sheet.how && { ...sheet.how, undo: false };
  expect(sheet.obstacles(Date.now())).toEqual(['changed']);
  await sheet.count();
  expect(core.of('preview_action').at(-1)?.how?.undo).toBe(false);
  expect(sheet.obstacles(Date.now())).toEqual([]);
});

test('a sheet that is closed while it counts calls the count off', async () => {
  core.finishes = false;
  const sheet = ActionSheet.of({ deployment: 'd', namespace: 'a:{b}' });
  await vi.waitFor(() => expect(sheet.counting).toBe(true));
  sheet.close();
  await vi.waitFor(() => expect(core.of('cancel_preview')).toHaveLength(1));
  await vi.waitFor(() => expect(sheet.busy).toBe(false));
  expect(sheet.trouble).toBe(null);
});

test('an undo waits until the run has ended', async () => {
  const sheet = await counted();
  await sheet.start(Date.now());
  core.phases = ['running', 'running', 'cancelled'];
  await sheet.stopAndUndo();
  const names = core.asked.map(({ request }) => request);
  expect(names.slice(names.indexOf('cancel_run'), names.indexOf('undo_run'))).toEqual([
    'cancel_run',
    'run',
    'run',
  ]);
  expect(sheet.step).toBe('result');
  expect(sheet.kept?.undone?.restored).toBe(5);
});

test('a halted run is undone without being stopped first', async () => {
  const sheet = await counted();
  core.phases = ['halted'];
  await sheet.start(Date.now());
  await sheet.stopAndUndo();
  expect(core.of('cancel_run')).toEqual([]);
  expect(core.of('undo_run')).toHaveLength(1);
});

test('some keys are put back by their names', async () => {
  const sheet = await counted();
  await sheet.start(Date.now());
  await sheet.undo(null, ['a', 'b']);
  await sheet.undo('a:{b}', []);
  expect(core.of('undo_run').map(({ part }) => part)).toEqual([
    { namespace: null, keys: ['a', 'b'] },
    { namespace: 'a:{b}', keys: null },
  ]);
});
