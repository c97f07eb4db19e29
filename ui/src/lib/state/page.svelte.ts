import type { AlertRef } from '../bindings/AlertRef';
import type { AppInfo } from '../bindings/AppInfo';
import type { DemoStatus } from '../bindings/DemoStatus';
import type { DeploymentId } from '../bindings/DeploymentId';
import type { DeploymentView } from '../bindings/DeploymentView';
import type { Place } from '../bindings/Place';
import type { ReadingKind } from '../bindings/ReadingKind';
import type { ReadingSpec } from '../bindings/ReadingSpec';
import type { Registry } from '../bindings/Registry';
import type { SourceId } from '../bindings/SourceId';
import type { SourceSpec } from '../bindings/SourceSpec';
import type { Window } from '../bindings/Window';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';
import { WINDOWS } from '../format/time';
import { live } from './live.svelte';
import { store, stored } from './stored';

/** Where the page is. */
export type Route =
  | { screen: 'overview' }
  | { screen: 'deployment'; id: DeploymentId; namespace: string | null }
  | { screen: 'actions' }
  | { screen: 'connect'; id: DeploymentId | null; url: string }
  | { screen: 'alerts'; alert: AlertRef | null; tab: AlertsTab }
  | { screen: 'strategy' | 'layers'; id: DeploymentId }
  | { screen: 'settings' };

/** What the section of alerts shows. */
export type AlertsTab = 'alerts' | 'rules' | 'prometheus' | 'silences';

const WINDOW_KEY = 'cachescope.window';

/** What the page knows that is not live: what there is, where one is, and over which window one looks. */
class Page {
  info = $state.raw<AppInfo | null>(null);
  registry = $state.raw<Registry | null>(null);
  deployments = $state.raw<DeploymentView[] | null>(null);
  demo = $state.raw<DemoStatus | null>(null);
  route = $state.raw<Route>({ screen: 'overview' });
  window = $state<Window>(
    stored(
      WINDOW_KEY,
      WINDOWS.map(({ window }) => window),
      '1m',
    ),
  );
  /** Why the page can't start, or why the list could not be read. */
  trouble = $state.raw<WireError | null>(null);
  /** The namespace that is selected on the screen. */
  namespace = $state<string | null>(null);
  /** Something that was asked for and could not be done: said once, until it is dismissed. */
  said = $state<string | null>(null);
  /** Grows with every wish to read everything again. */
  refreshes = $state(0);
  #last: DeploymentId | null = null;

  /** Whether what every screen needs has been read. */
  readonly ready = $derived(this.info !== null && this.deployments !== null);
  /** The deployment on the screen. */
  readonly current = $derived.by(() => {
    const route = this.route;
    return route.screen === 'deployment' ? this.find(route.id) : undefined;
  });

  find(id: DeploymentId): DeploymentView | undefined {
    return this.deployments?.find((view) => view.deployment.id === id);
  }

  readingSpec(kind: ReadingKind): ReadingSpec | undefined {
    return this.registry?.readings.find((spec) => spec.kind === kind);
  }

  sourceSpec(id: SourceId): SourceSpec | undefined {
    return this.registry?.sources.find((spec) => spec.id === id);
  }

  /** Reads everything once. Where there is one deployment only, it is opened: there is nothing to choose. */
  async start(): Promise<void> {
    const first = this.route;
    try {
      [this.info, this.registry] = await Promise.all([
        request({ request: 'app_info' }),
        request({ request: 'registry' }),
      ]);
      await this.readDeployments();
      const only = this.deployments?.length === 1 ? this.deployments[0] : undefined;
      // A link may have led somewhere meanwhile.
      if (only && this.route === first) this.open(only.deployment.id);
    } catch (error) {
      this.trouble = asWireError(error);
    }
  }

  async readDeployments(): Promise<void> {
    try {
      this.deployments = await request({ request: 'deployments' });
      this.trouble = null;
    } catch (error) {
      this.trouble = asWireError(error);
      return;
    }
    const route = this.route;
    const about = route.screen === 'deployment' || route.screen === 'strategy' || route.screen === 'layers';
    if (about && !this.find(route.id)) this.overview();
    await Promise.all([this.readDemo(), this.readInfo()]);
  }

  /** Where secrets go may change while the program runs: a keychain is locked, or answers again. */
  async readInfo(): Promise<void> {
    try {
      this.info = await request({ request: 'app_info' });
    } catch (error) {
      this.trouble = asWireError(error);
    }
  }

  async askKeychain(): Promise<void> {
    try {
      this.info = await request({ request: 'ask_keychain' });
    } catch (error) {
      this.say(asWireError(error));
    }
  }

  async readDemo(): Promise<void> {
    try {
      this.demo = await request({ request: 'demo_status' });
    } catch (error) {
      this.trouble = asWireError(error);
    }
  }

  overview(): void {
    this.#go({ screen: 'overview' });
  }

  /** A deployment, with one of its namespaces selected where one is named. */
  open(id: DeploymentId, namespace: string | null = null): void {
    this.#last = id;
    this.#go({ screen: 'deployment', id, namespace });
  }

  /** Every alert, with one of them opened where one is named. */
  alerts(alert: AlertRef | null = null, tab: AlertsTab = 'alerts'): void {
    this.#go({ screen: 'alerts', alert, tab });
  }

  /** What the strategy says beside what is observed; of the deployment that was open last where none is named. */
  strategy(id: DeploymentId | null = this.last()): void {
    if (id !== null) this.#go({ screen: 'strategy', id });
  }

  /** The caches a request passes. */
  layers(id: DeploymentId | null = this.last()): void {
    if (id !== null) this.#go({ screen: 'layers', id });
  }

  /** Where a link, a notification or another window leads. */
  go(place: Place): void {
    if (place.place === 'overview') this.overview();
    else if (place.place === 'deployment') this.open(place.deployment, place.namespace);
    else if (place.place === 'alert') this.alerts(place.alert);
    else this.said = place.sentence;
  }

  /** What is shown, as a place that a link or another window can lead to. */
  place(): Place {
    const route = this.route;
    if (route.screen === 'deployment')
      return { place: 'deployment', deployment: route.id, namespace: this.namespace };
    if (route.screen === 'alerts' && route.alert !== null) return { place: 'alert', alert: route.alert };
    return { place: 'overview' };
  }

  /** Opens one more window on a place. */
  async openWindow(place: Place): Promise<void> {
    try {
      await request({ request: 'open_window', place });
    } catch (error) {
      this.say(asWireError(error));
    }
  }

  say({ message, remedy }: WireError): void {
    const sentence = [message, remedy].filter((words) => words !== '').join(': ');
    this.said = `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
  }

  settings(): void {
    this.#go({ screen: 'settings' });
  }

  /** The deployment that was open last, or the first. */
  last(): DeploymentId | null {
    if (this.#last !== null && this.find(this.#last)) return this.#last;
    return this.deployments?.[0]?.deployment.id ?? null;
  }

  openLast(): void {
    const id = this.last();
    if (id !== null) this.open(id);
  }

  /** What can be done, and what was done. */
  actions(): void {
    this.#go({ screen: 'actions' });
  }

  /** The form: for a new deployment, or for one that is kept. */
  connect(id: DeploymentId | null = null, url = ''): void {
    this.#go({ screen: 'connect', id, url });
  }

  look(window: Window): void {
    this.window = window;
    store(WINDOW_KEY, window);
    live.resume();
  }

  /** Reads everything again, now. */
  async refresh(): Promise<void> {
    live.resume();
    this.refreshes += 1;
    await this.readDeployments();
  }

  #go(route: Route): void {
    this.route = route;
    live.resume();
  }
}

export const page = new Page();
