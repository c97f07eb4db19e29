// Invented figures for looking at the page without a desktop shell: `npm run dev:fixture`, then add
// ?scene=busy|many|empty|nodemo|connecting|failed|lost|idle|found|calm|flood|troubled|names and
// &act=… (fixture/actions.ts) to the address.
// Never part of a build.
import { actionAnswers } from './fixture/actions';
import type { DeploymentView } from '../bindings/DeploymentView';
import type { Frame } from '../bindings/Frame';
import type { Reply } from '../bindings/Reply';
import type { Request } from '../bindings/Request';
import type { View } from '../bindings/View';
import { answerAlerts, isAboutAlerts } from './fixture/telling';
import { priceOf } from './fixture/prices';
import { registry } from './fixture/registry';
import type { Transport } from './transport';
import { tenantsOf } from './fixture/contents';
import { layersOf } from './fixture/layers';
import { causesOf, missesOf } from './fixture/misses';
import { documentOf } from './fixture/document';
import { slowOf } from './fixture/slow';
import { throughSsh } from './fixture/tunnel';
import { detailOf, historyOf, instanceFrame, overviewRow, rowPage, type Scene } from './fixture/figures';

/** Stands in the code so that tests/bundle.test.ts can prove that a build has none of it. */
export const SENTINEL = 'cachescope-invented-figures';

const view = (
  id: string,
  name: string,
  more: Partial<DeploymentView['deployment']> = {},
  demo = false,
): DeploymentView => ({
  deployment: {
    id,
    name,
    environment: 'production',
    redis_url: `redis://viewer@${name}.cache.internal:6379`,
    prometheus_url: 'http://prometheus.internal:9090',
    metrics_urls: [],
    strategy: 'crm',
    group: null,
    colour: null,
    tls: { ca: null, cert: null, key: null },
    ssh: null,
    ssh_http: false,
    ...more,
  },
  has_redis_password: true,
  has_ssh_secret: false,
  has_prometheus_secret: false,
  demo,
  sources_on: ['info', 'events', 'prometheus'],
});

/** One of many, some of which can't be reached. */
const further = (place: number) =>
  view(`e${place}`, `cache-${['eu', 'us', 'ap'][place % 3]}-${place}`, {
    group: place % 2 === 0 ? 'Content delivery' : null,
  });

export function fixture(parameters: URLSearchParams): Transport {
  const scene = (parameters.get('scene') ?? 'busy') as Scene;
  let views: DeploymentView[] =
    scene === 'empty' || scene === 'nodemo'
      ? []
      : [
          view('a', 'prod-eu-1', {
            group: 'Shop',
            colour: 'teal',
            ...(scene === 'found' ? { strategy: null } : {}),
          }),
          view('b', 'prod-us-1', { group: 'Shop', colour: 'purple' }),
          view('c', 'staging', { environment: 'staging' }),
          view('d', 'dev', { environment: 'development' }, true),
          ...(scene === 'flood' ? Array.from({ length: 20 }, (_, place) => further(place)) : []),
        ];
  let timer: ReturnType<typeof setInterval> | undefined;
  let tick = 0;
  const answerAction = actionAnswers(
    parameters.get('act') ?? '',
    (id) => views.find(({ deployment }) => deployment.id === id)?.deployment.name ?? id,
  );

  function push(viewed: View, onFrame: (frame: Frame) => void) {
    if (viewed.kind === 'none') return;
    tick += 1;
    const { window } = viewed;
    onFrame({
      kind: 'overview',
      at: Date.now(),
      window,
      offset: 0,
      total: views.length,
      rows: views.map(({ deployment }, place) => overviewRow(deployment, place, scene, tick)),
    });
    if (viewed.kind === 'deployment')
      onFrame({ kind: 'instance', ...instanceFrame(viewed.deployment, window, scene, tick) });
  }

  function answer(asked: Request): Reply {
    if (isAboutAlerts(asked)) return answerAlerts(asked, scene);
    switch (asked.request) {
      case 'app_info':
      case 'ask_keychain':
        return {
          reply: asked.request,
          data: {
            version: `0.1.0 ${SENTINEL}`,
            secrets: { kept: 'session_only', reason: 'no Secret Service answers on this session’s bus.' },
            keychain: false,
            notices: [],
          },
        };
      case 'registry':
        return { reply: asked.request, data: registry };
      case 'deployments':
        return { reply: asked.request, data: views };
      case 'demo_status':
        return {
          reply: asked.request,
          data: {
            available: scene !== 'nodemo',
            missing: scene === 'nodemo' ? ['sudo apt install redis-server prometheus'] : [],
            running: null,
          },
        };
      case 'start_demo':
        views = [view('d', 'demo', { environment: 'development' }, true)];
        return { reply: asked.request, data: 'd' };
      case 'stop_demo':
        views = views.filter(({ demo }) => !demo);
        return { reply: asked.request, data: {} };
      case 'strategies':
        return {
          reply: asked.request,
          data: [
            {
              name: 'crm',
              title: 'CRM caching strategy',
              summary: 'Redis behind an in-process cache.',
              namespaces: 14,
              built_in: true,
            },
            {
              name: 'performance',
              title: 'Performance guide',
              summary: 'Dashboards and API answers.',
              namespaces: 8,
              built_in: true,
            },
          ],
        };
      case 'preview_adoption':
      case 'adopt':
        return {
          reply: asked.request,
          data: {
            file: 'strategies/checkout.toml',
            new_file: true,
            added: asked.namespaces
              .map(
                (template, place) =>
                  `\n[[namespace]]\nname = "found-${place + 1}"\ntemplate = ${JSON.stringify(template)}\nttl = "undocumented"\n`,
              )
              .join(''),
            names: asked.namespaces.map((_, place) => `found-${place + 1}`),
          },
        };
      case 'check_strategy':
        return {
          reply: asked.request,
          data: {
            summary: null,
            problems: [`${asked.name_or_path}, line 14: "tll" is no key of a namespace; did you mean "ttl"?`],
          },
        };
      case 'test_connection':
        if (asked.draft.ssh !== '') {
          return { reply: asked.request, data: throughSsh(asked.draft.ssh, asked.trust !== undefined) };
        }
        return {
          reply: asked.request,
          data: {
            usable: false,
            steps: [
              { title: 'DNS', result: 'ok', detail: '10.12.0.7, 10.12.0.8', remedy: '' },
              {
                title: 'TCP to prod-eu-1.cache.internal:6379',
                result: 'ok',
                detail: '10.12.0.7:6379 in 1.20 ms',
                remedy: '',
              },
              {
                title: 'TLS',
                result: 'skipped',
                detail: 'not asked for; an address with rediss:// asks for it',
                remedy: '',
              },
              { title: 'AUTH', result: 'ok', detail: 'logged in as viewer', remedy: '' },
              { title: 'PING', result: 'ok', detail: 'answered in 0.41 ms, the shortest of 3', remedy: '' },
              {
                title: 'Topology',
                result: 'ok',
                detail: 'Standalone server: redis 7.0.15, standalone, master',
                remedy: '',
              },
              {
                title: 'Keyspace events',
                result: 'warning',
                detail: 'notify-keyspace-events is empty: misses can not be told apart by cause.',
                remedy: 'CONFIG SET notify-keyspace-events Emxe',
              },
              {
                title: 'Prometheus at http://prometheus.internal:9090',
                result: 'failed',
                detail: 'Connection refused.',
                remedy: 'Check the address, or leave the field empty to go without.',
              },
              {
                title: 'Application counters',
                result: 'skipped',
                detail: 'Prometheus was not reached.',
                remedy: '',
              },
            ],
          },
        };
      case 'save_deployment': {
        const id = asked.draft.id ?? `n${views.length}`;
        if (asked.draft.id === null) views = [...views, view(id, asked.draft.name || 'new')];
        return { reply: asked.request, data: id };
      }
      case 'remove_deployment':
        views = views.filter(({ deployment }) => deployment.id !== asked.deployment);
        return { reply: asked.request, data: {} };
      case 'export_deployments':
        return { reply: asked.request, data: '{"cachescope":"deployments","version":1,"deployments":[]}' };
      case 'import_deployments':
        return {
          reply: asked.request,
          data: {
            format: 'Redis Insight',
            kept: asked.keep,
            deployments: [
              {
                name: 'Orders',
                address: 'rediss://viewer@orders.cache.internal:6380/3',
                group: '',
                outcome: 'new',
                secrets: true,
                notes: ['its certificates are not taken over: give their files in the form'],
              },
              {
                name: 'Tunnel',
                address: '',
                group: '',
                outcome: 'refused',
                secrets: false,
                notes: ['the SSH server it is reached through can’t be read'],
              },
            ],
          },
        };
      case 'find_endpoints':
        return {
          reply: asked.request,
          data: [
            { url: 'http://10.0.4.11:9090', kind: 'prometheus', found: true, detail: 'Prometheus 2.42.0' },
            { url: 'http://10.0.4.11:9121/metrics', kind: 'metrics', found: false, detail: 'refused' },
          ],
        };
      case 'link_to':
        return { reply: asked.request, data: 'cachescope://deployment/a' };
      case 'open_window':
        return { reply: asked.request, data: {} };
      case 'window_settings':
        return { reply: asked.request, data: { tray: true, stay_in_tray: false } };
      case 'stay_in_tray':
        return { reply: asked.request, data: { tray: true, stay_in_tray: asked.stay } };
      case 'set_source':
      case 'enable_events':
        return { reply: asked.request, data: {} };
      case 'preview_source':
        return { reply: asked.request, data: priceOf(asked.source) };
      case 'preview_events':
        return { reply: asked.request, data: priceOf('events') };
      case 'restore_events':
        return {
          reply: asked.request,
          data: [{ node: '10.0.4.11:6379', setting: 'notify-keyspace-events', outcome: 'put back to "Emx"' }],
        };
      case 'slow_commands':
        return { reply: asked.request, data: slowOf(asked.namespace) };
      case 'doctor':
        return {
          reply: asked.request,
          data: {
            server: 'redis 7.0.15, standalone, master',
            sources: [
              { source: 'info', result: 'ok', detail: '', remedy: '' },
              {
                source: 'events',
                result: 'warning',
                detail: 'Evictions are announced, misses are not.',
                remedy: 'CONFIG SET notify-keyspace-events Emxe',
              },
            ],
            acting_acl_line: 'ACL SETUSER cachescope-acting on >PASSWORD +info +config|set',
            purging_acl_line: 'ACL SETUSER cachescope-purging on >PASSWORD +info +config|set +unlink',
            acl_line:
              'ACL SETUSER cachescope on >CHANGE-ME ~* resetchannels &__keyevent@* +info +ping +subscribe +scan',
            config_lines: ['CONFIG SET notify-keyspace-events Emxe'],
          },
        };
      case 'rows':
        return { reply: asked.request, data: rowPage(asked.query, scene, tick) };
      case 'namespace_detail':
        return { reply: asked.request, data: detailOf(asked.namespace, scene, tick) };
      case 'tenants':
        return { reply: asked.request, data: tenantsOf(asked.namespace, scene === 'found') };
      case 'layers':
        return { reply: asked.request, data: layersOf() };
      case 'history':
        return {
          reply: asked.request,
          data: historyOf(asked.namespace, asked.kinds, asked.seconds, asked.points, scene),
        };
      case 'cause_history':
        return { reply: asked.request, data: causesOf(asked.seconds, asked.points) };
      case 'misses':
        return { reply: asked.request, data: missesOf(asked.window) };
      case 'strategy_document':
        return { reply: asked.request, data: scene === 'found' ? null : documentOf() };
      case 'findings':
        return {
          reply: asked.request,
          data: [
            {
              code: 'no-ttl',
              namespace: 'flags:{name}',
              summary: '61 keys have no time to live; the document says 5 min.',
              remedy: '',
            },
            {
              code: 'ttl-beyond',
              namespace: 'query:{hash}',
              summary: '1,204 of 188,000 keys of Search results live longer than the documented 1 min',
              remedy: 'shorten the time to live where they are written, or correct the strategy',
            },
            {
              code: 'larger-than-sized',
              namespace: 'llm-response:{hash}',
              summary: 'LLM responses takes 5218.5 MB; documented are 2600.0 MB, overhead included',
              remedy: '',
            },
            {
              code: 'maxmemory-policy',
              namespace: '',
              summary: 'maxmemory-policy is noeviction; the document says allkeys-lru.',
              remedy: 'CONFIG SET maxmemory-policy allkeys-lru',
            },
          ],
        };
      case 'export':
        return { reply: asked.request, data: 'namespace,hit_rate\n' };
      default:
        return answerAction(asked);
    }
  }

  // What the core does in the real window costs the page's own thread here: webview/speed.measure.ts takes it out.
  let spent = 0;
  function counted<T>(work: () => T): T {
    const begun = performance.now();
    try {
      return work();
    } finally {
      spent += performance.now() - begun;
      Object.assign(globalThis, { cachescopeInvented: spent });
    }
  }

  return {
    request: (asked) =>
      scene === 'connecting' && asked.request === 'rows'
        ? new Promise(() => {})
        : new Promise((resolve) => setTimeout(resolve, 5)).then(() => counted(() => answer(asked))),
    watch: (viewed, onFrame) => {
      clearInterval(timer);
      push(viewed, onFrame);
      timer = setInterval(() => push(viewed, onFrame), 1000);
      return Promise.resolve();
    },
  };
}
