import { openAction } from '../actions/open';
import { keyOf } from '../alerts/order';
import { statusOf, titleOf } from '../alerts/words';
import type { AlertView } from '../bindings/AlertView';
import type { DeploymentId } from '../bindings/DeploymentId';
import type { PlaybookView } from '../bindings/PlaybookView';
import { containing } from '../deployment/filter';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';
import { visible } from '../format/names';
import { WINDOWS } from '../format/time';
import { copy } from '../parts/clipboard';
import { live } from '../state/live.svelte';
import { page } from '../state/page.svelte';
import { theme } from '../state/theme.svelte';
import type { Entry } from './entries';

/** Namespaces asked for at a time: more than fit on the screen. */
const NAMESPACES = 12;

/** What is known of the world while the palette is open: read when it opens, namespaces again with what is typed. */
export class PaletteContents {
  alerts = $state.raw<readonly AlertView[]>([]);
  playbooks = $state.raw<readonly PlaybookView[]>([]);
  namespaces = $state.raw<readonly { namespace: string; title: string }[]>([]);
  /** The deployment that namespaces and actions are of: the one on the screen, or the one that was. */
  readonly deployment: DeploymentId | null = page.last();
  #newest = 0;

  /** Alerts and playbooks. What can't be read is left out: its own screen says why. */
  async read(): Promise<void> {
    const deployment = this.deployment;
    const [alerts, playbooks] = await Promise.allSettled([
      request({ request: 'alerts', deployment: null, namespace: null }),
      deployment === null ? Promise.resolve([]) : request({ request: 'playbooks', deployment }),
    ]);
    if (alerts.status === 'fulfilled') this.alerts = alerts.value.alerts;
    if (playbooks.status === 'fulfilled') this.playbooks = playbooks.value;
  }

  /** Namespaces that contain what was typed; those in trouble first. */
  async readNamespaces(typed: string): Promise<void> {
    if (this.deployment === null) return;
    const mine = ++this.#newest;
    try {
      const found = await request({
        request: 'rows',
        query: {
          deployment: this.deployment,
          window: page.window,
          filter: containing(typed),
          sort: { by: 'trouble' },
          descending: true,
          offset: 0,
          limit: NAMESPACES,
          sparks: false,
          pinned: [],
        },
      });
      if (mine !== this.#newest) return;
      this.namespaces = found.rows.filter(({ namespace }) => namespace !== '');
    } catch {
      if (mine === this.#newest) this.namespaces = [];
    }
  }

  /** Everything that can be gone to or done now. */
  entries(onkeys: () => void): Entry[] {
    return [
      ...sections(onkeys),
      ...this.#deployments(),
      ...this.#namespaces(),
      ...this.#alerts(),
      ...this.#actions(),
      ...view(),
    ];
  }

  #deployments(): Entry[] {
    const all = page.deployments ?? [];
    const here: Entry[] = all.map(({ deployment }) => ({
      id: `deployment ${deployment.id}`,
      group: 'Deployments',
      name: deployment.name,
      about: deployment.environment ?? 'production',
      run: () => page.open(deployment.id),
    }));
    const beside: Entry[] = all.map(({ deployment }) => ({
      id: `window ${deployment.id}`,
      group: 'View',
      name: `Open ${deployment.name} in a window of its own`,
      run: () => void page.openWindow({ place: 'deployment', deployment: deployment.id, namespace: null }),
    }));
    return [...here, ...beside];
  }

  #namespaces(): Entry[] {
    const id = this.deployment;
    if (id === null) return [];
    return this.namespaces.map(({ namespace, title }) => ({
      id: `namespace ${namespace}`,
      group: 'Namespaces',
      name: visible(title || namespace),
      ...(title === namespace ? {} : { about: visible(namespace) }),
      run: () => page.open(id, namespace),
    }));
  }

  #alerts(): Entry[] {
    return this.alerts.map((alert) => ({
      id: `alert ${keyOf(alert.alert_ref)}`,
      group: 'Alerts',
      name: titleOf(alert),
      about: `${alert.deployment_name}, ${statusOf(alert).word}`,
      run: () => page.alerts(alert.alert_ref),
    }));
  }

  #actions(): Entry[] {
    const id = this.deployment;
    if (id === null) return [];
    const purges: Entry[] = this.namespaces.map(({ namespace, title }) => ({
      id: `purge ${namespace}`,
      group: 'Actions',
      name: `Purge ${visible(title || namespace)}…`,
      about: 'opens the plan',
      run: () => openAction({ deployment: id, namespace }),
    }));
    const playbooks: Entry[] = this.playbooks.map(({ name, title }) => ({
      id: `playbook ${name}`,
      group: 'Actions',
      name: `${title || name}…`,
      about: 'playbook: opens the plan',
      run: () => openAction({ deployment: id, playbook: name }),
    }));
    return [...playbooks, ...purges];
  }
}

function sections(onkeys: () => void): Entry[] {
  const go = (name: string, keys: string, run: () => void): Entry => ({
    id: `section ${name}`,
    group: 'Go to',
    name,
    keys,
    run,
  });
  return [
    go('Overview', 'Ctrl+1', () => page.overview()),
    go('Alerts', 'Ctrl+3', () => page.alerts()),
    go('Actions', 'Ctrl+4', () => page.actions()),
    go('Layers', 'Ctrl+5', () => page.layers()),
    go('Strategy', 'Ctrl+6', () => page.strategy()),
    go('Settings', 'Ctrl+,', () => page.settings()),
    { id: 'connect', group: 'Go to', name: 'Add a deployment…', run: () => page.connect() },
    { id: 'keys', group: 'Go to', name: 'Keys and marks', keys: '?', run: onkeys },
  ];
}

function view(): Entry[] {
  const windows: Entry[] = WINDOWS.map(({ window, name }) => ({
    id: `window ${window}`,
    group: 'View',
    name: `Look at the last ${name}`,
    run: () => page.look(window),
  }));
  const themes: Entry[] = (['system', 'dark', 'light'] as const).map((choice) => ({
    id: `theme ${choice}`,
    group: 'View',
    name: choice === 'system' ? 'Theme of the system' : `Theme ${choice}`,
    run: () => theme.choose(choice),
  }));
  return [
    live.paused
      ? { id: 'resume', group: 'View', name: 'Resume the view', run: () => live.resume() }
      : { id: 'pause', group: 'View', name: 'Pause the view', run: () => live.pause() },
    {
      id: 'refresh',
      group: 'View',
      name: 'Read everything again',
      keys: 'Ctrl+R',
      run: () => void page.refresh(),
    },
    {
      id: 'one more window',
      group: 'View',
      name: 'One more window',
      about: 'on what this one shows',
      keys: 'Ctrl+Shift+N',
      run: () => void page.openWindow(page.place()),
    },
    {
      id: 'copy link',
      group: 'View',
      name: 'Copy the link to this view',
      about: 'opens Cachescope here from a runbook or a chat',
      run: () => void copyLink(),
    },
    ...windows,
    ...themes,
  ];
}

async function copyLink(): Promise<void> {
  const link = request({ request: 'link_to', place: page.place() });
  try {
    const copied = await copy(link);
    page.said = copied ? `Copied: ${await link}` : `The clipboard refused; the link is ${await link}`;
  } catch (error) {
    page.say(asWireError(error));
  }
}
