// Every screen and state of the page, and how one gets there by the keyboard.
import { fileURLToPath } from 'node:url';

import type { Window } from './window';

export interface State {
  name: string;
  /** Of the invented figures (src/lib/host/fixture.ts). */
  scene: string;
  /** Which part of an action's life. */
  act?: string;
  /** Pressed one after the other; `@…` gives the focus to what this selector finds, once it is there. */
  keys: string[];
  /** Whether a file is given at the end. */
  file?: boolean;
  /** What is there once it is reached. */
  shows: string;
  /** Keys that are pressed on it then, and what is there after them. */
  then?: { keys: string[]; shows: string };
}

const state = (name: string, scene: string, keys: string[], shows: string, act?: string): State => ({
  name,
  scene,
  keys,
  shows,
  ...(act === undefined ? {} : { act }),
});

const DEPLOYMENT = ['Control+2'];
const ROW = '[data-testid="row"]';
const PANEL = '[data-testid="namespace-panel"]';
const DIALOG = 'dialog[open]';

/** Goes to a control and presses it. */
const on = (testid: string) => [`@[data-testid="${testid}"]`, 'Enter'];
/** Any file of this kind: what the invented answer lists does not depend on it. */
const FILE = fileURLToPath(new URL('../package.json', import.meta.url));

export const STATES: readonly State[] = [
  state('overview', 'busy', [], '[data-testid="overview-row"]'),
  state('overview, many deployments', 'flood', ['/', ...'failed'], '[data-testid="overview-filter"]:focus'),
  state('first start', 'empty', [], '[data-testid="first-url"]'),
  state('first start without the demo', 'nodemo', [], '[data-testid="first-url"]'),
  state('deployment', 'busy', DEPLOYMENT, ROW),
  state('deployment, 5,000 namespaces', 'many', DEPLOYMENT, ROW),
  state('deployment, connecting', 'connecting', DEPLOYMENT, '[data-testid="state-banner"]'),
  state('deployment, failed', 'failed', DEPLOYMENT, '[data-testid="state-banner"]'),
  state('deployment, lost', 'lost', DEPLOYMENT, '[data-testid="state-banner"]'),
  state('deployment, no traffic', 'idle', DEPLOYMENT, ROW),
  state('deployment, no strategy', 'found', DEPLOYMENT, ROW),
  state('deployment, nothing fires', 'calm', DEPLOYMENT, ROW),
  state('namespace', 'busy', [...DEPLOYMENT, 'j', 'Enter'], PANEL),
  state('namespace, found', 'found', [...DEPLOYMENT, 'j', 'Enter'], PANEL),
  state('filter', 'busy', [...DEPLOYMENT, '/'], '[data-testid="filter"]:focus'),
  state(
    'filter that can not be read',
    'busy',
    [...DEPLOYMENT, '/', ...'size>5'],
    '[data-testid="filter-error"]',
  ),
  state('palette', 'busy', ['Control+k'], '[data-testid="command"]'),
  state('keys', 'busy', ['?'], 'dialog[open]'),
  state('purge', 'busy', [...DEPLOYMENT, 'j', 'p'], 'dialog[open]'),
  state('warm', 'busy', [...DEPLOYMENT, 'j', 'w'], 'dialog[open]'),
  state('alerts', 'busy', ['Control+3'], '[data-testid="alert-row"]'),
  state('alerts, none', 'calm', ['Control+3'], '[data-testid="alerts"]'),
  state('alerts, very many', 'flood', ['Control+3'], '[data-testid="alert-row"]'),
  state('actions', 'busy', ['Control+4'], '[data-testid="actions-page"]'),
  state('layers', 'busy', ['Control+5'], '[data-testid="layers-page"] ol'),
  state('layers, no strategy', 'found', ['Control+5'], '[data-testid="layers-page"] h2'),
  state('strategy', 'busy', ['Control+6'], '[data-testid="ttl-audit"]'),
  state('strategy, none', 'found', ['Control+6'], '[data-testid="strategy"] h2'),
  state(
    'connection form',
    'busy',
    ['Control+k', ...'add a deployment', 'Enter'],
    '[data-testid="connection-form"]',
  ),
  {
    ...state(
      'connection form, SSH tunnel',
      'busy',
      ['Control+k', ...'add a deployment', 'Enter'],
      '[data-testid="redis-url"]:focus',
    ),
    then: { keys: ['Tab', 'Tab', 'Enter'], shows: '[data-testid="ssh"][open] [data-testid="ssh-server"]' },
  },
  {
    ...state(
      'connection form, unknown SSH key',
      'busy',
      ['Control+k', ...'add a deployment', 'Enter'],
      '[data-testid="redis-url"]:focus',
    ),
    then: {
      keys: [
        ...'redis://cache',
        ...['Tab', 'Tab', 'Enter', 'Tab'],
        ...'bastion',
        ...['@[data-testid="test"]', 'Enter'],
      ],
      shows: '[data-testid="trust"]',
    },
  },
  state('settings', 'busy', ['Control+,'], '[data-testid="settings"]'),
  state(
    'columns',
    'busy',
    [...DEPLOYMENT, ...on('columns')],
    '[data-testid="columns"][aria-expanded="true"]',
  ),
  state('export of the table', 'busy', [...DEPLOYMENT, ...on('export')], DIALOG),
  state(
    'chart as a table',
    'busy',
    [...DEPLOYMENT, '@[data-testid="chart-misses"] button', 'Enter'],
    'aside table',
  ),
  state('price of a source', 'busy', [...DEPLOYMENT, ...on('switch-on-scan')], '[data-testid="price"]'),
  state('what can be measured', 'busy', [...DEPLOYMENT, ...on('ask-doctor')], '[data-testid="doctor"]'),
  state(
    'timeline as a table',
    'busy',
    [...DEPLOYMENT, ...on('timeline-table')],
    '[data-testid="timeline-rows"]',
  ),
  state('mark', 'busy', [...DEPLOYMENT, ...on('add-mark')], '[data-testid="mark-text"]'),
  state('adoption', 'found', [...DEPLOYMENT, 'j', 'Enter', ...on('adopt')], '[data-testid="adopt-lines"]'),
  state(
    'acknowledgement',
    'busy',
    ['Control+3', '@[data-testid="alert-row"]', 'a'],
    '[data-testid="acknowledge-note"]',
  ),
  state(
    'silence',
    'busy',
    ['Control+3', '@[data-testid="alert-row"]', 's'],
    '[data-testid="silence-comment"]',
  ),
  state('arming', 'busy', ['Control+4', ...on('locked')], '[data-testid="arm-name"]'),
  state(
    'removal',
    'busy',
    [...DEPLOYMENT, ...on('change'), ...on('remove')],
    '[data-testid="remove-confirm"]',
  ),
  state('channel', 'busy', ['Control+,', ...on('add-channel')], '[data-testid="channel-name"]'),
  { ...state('import', 'busy', ['Control+,'], '[data-testid="import-list"]'), file: true },
  state('guards', 'busy', [...DEPLOYMENT, 'j', 'p'], '[data-testid="action-sheet"][data-step="guards"]'),
  state(
    'run',
    'busy',
    [...DEPLOYMENT, ...on('run-chip')],
    '[data-testid="action-sheet"][data-step="run"]',
    'running',
  ),
];

/** Goes there by the keyboard, from a fresh start. */
export async function reach(window: Window, state: State, theme: 'dark' | 'light'): Promise<void> {
  await window.show(state.scene, theme, state.act ? `&act=${state.act}` : '');
  for (const key of state.keys) {
    await give(window, key);
    // Its keys are heard once its rows are there.
    const first = key === 'Control+2' && state.keys.length > 1;
    if (first) await window.waitFor('[data-testid="row"]');
  }
  if (state.file) {
    await window.giveFile('[data-testid="import-file"]', FILE);
  }
  await window.waitFor(state.shows);
  for (const key of state.then?.keys ?? []) await give(window, key);
  if (state.then) await window.waitFor(state.then.shows);
}

/** Presses a key, or gives the focus to what stands behind `@`. */
async function give(window: Window, key: string): Promise<void> {
  if (key.startsWith('@')) await giveFocus(window, key.slice(1));
  else await window.press(key);
}

/** Gives the focus to a control; in a small window, details have to be shown first. */
async function giveFocus(window: Window, selector: string): Promise<void> {
  await window.waitFor(selector);
  await window.run(
    `if (document.querySelector(arguments[0]).getClientRects().length === 0)
       document.querySelector('.panel-button').click()`,
    [selector],
  );
  await window.until(
    `${selector} has the focus`,
    `const control = document.querySelector(arguments[0]);
     control?.focus();
     return control !== null && document.activeElement === control`,
    [selector],
  );
}
