// What a warm is made of, as it is typed, and its figures.
import type { Preview } from '../bindings/Preview';
import type { RunState } from '../bindings/RunState';
import type { WarmDraft } from '../bindings/WarmDraft';
import type { WarmLimits } from '../bindings/WarmLimits';
import { grouped, show } from '../format/numbers';
import { span } from '../format/time';
import type { Box } from './Boxes.svelte';

/** Under which name plans know the token that is typed here. */
const SECRET = 'endpoint-token';

export type WarmKeysKind = 'missed' | 'run' | 'expiring' | 'named';
export type WarmWayKind = 'request' | 'copy' | 'undo' | 'refresh';

export const WARM_KEYS: { value: WarmKeysKind; name: string }[] = [
  { value: 'missed', name: 'Most missed' },
  { value: 'expiring', name: 'Expiring soon' },
  { value: 'run', name: 'Of a purge' },
  { value: 'named', name: 'Named' },
];

export const WARM_WAYS: { value: WarmWayKind; name: string }[] = [
  { value: 'request', name: 'By requests' },
  { value: 'refresh', name: 'Replace, wave by wave' },
  { value: 'copy', name: 'By copy' },
  { value: 'undo', name: 'From an undo file' },
];

/** What is typed of a warm. */
export interface WarmForm {
  /** A documented plan; empty for one of one's own. */
  plan: string;
  way: WarmWayKind;
  keys: WarmKeysKind;
  run: string;
  expiringSeconds: string;
  url: string;
  baseUrl: string;
  method: string;
  /** Empty for what the plan says or is usual. */
  perMinute: string;
  concurrency: string;
  privateAddresses: boolean;
  /** Whether the kept token goes with each request. */
  withSecret: boolean;
  secret: string;
  /** The deployment to copy from. */
  from: string;
  jitterPercent: string;
}

export const usualWarm: WarmForm = {
  plan: '',
  way: 'request',
  keys: 'missed',
  run: '',
  expiringSeconds: '60',
  url: '',
  baseUrl: '',
  method: 'GET',
  perMinute: '',
  concurrency: '',
  privateAddresses: false,
  withSecret: false,
  secret: SECRET,
  from: '',
  jitterPercent: '0',
};

/** What is usual where the plan says nothing. */
export const USUAL_LIMITS: WarmLimits = {
  per_minute: 600,
  concurrency: 4,
  most_bytes: 268_435_456,
  most_bytes_of_answer: 4_194_304,
  errors_percent: 10,
  most_errors: 0,
  timeout_ms: 10_000,
  retries: 2,
};

const isNone = (text: string): boolean => text.trim() !== '' && (whole(text) ?? 0) < 1;

const whole = (text: string): number | null => (/^\d{1,7}$/.test(text.trim()) ? Number(text) : null);

/** What is missing before it can be looked at, one sentence; `null` where nothing is. The core judges again. */
export function warmMissing(form: WarmForm, namespace: string): string | null {
  const meant = form.plan !== '' || namespace.trim() !== '';
  switch (form.way) {
    case 'copy':
      return form.from === '' ? 'Choose the deployment to copy from.' : null;
    case 'undo':
      return form.run.trim() === '' ? 'Name the run whose undo file is copied.' : null;
    case 'refresh':
      if (namespace.trim() === '') return 'Choose the namespace whose values are replaced.';
      break;
    case 'request':
      if (!meant && form.keys !== 'run' && form.keys !== 'named') return 'Choose a plan or a namespace.';
  }
  if (form.plan === '' && form.url.trim() === '') return 'Give the URL that loads a key.';
  if (form.keys === 'run' && form.way === 'request' && form.run.trim() === '') return 'Name the run.';
  if (form.keys === 'expiring' && whole(form.expiringSeconds) === null)
    return 'Say within how many seconds, a number.';
  if (isNone(form.perMinute)) return 'At least one request a minute.';
  if (isNone(form.concurrency)) return 'At least one request at a time.';
  return null;
}

/** What the core makes the plan from. */
export function warmDraft(form: WarmForm, namespace: string, tenant: string, named: string[]): WarmDraft {
  const given = (text: string) => (text.trim() === '' ? null : text.trim());
  const copies = form.way === 'copy' || form.way === 'undo';
  const [perMinute, concurrency] = [whole(form.perMinute), whole(form.concurrency)];
  return {
    plan: given(form.plan),
    namespace: given(namespace),
    tenant: given(tenant),
    keys: copies ? { which: 'missed' } : keysOf(form, named),
    parameters: {},
    base_url: copies ? null : given(form.baseUrl),
    url: copies ? null : given(form.url),
    method: copies || form.url.trim() === '' ? null : form.method,
    headers: {},
    body: '',
    secret: form.withSecret && !copies ? form.secret : null,
    private_addresses: form.privateAddresses,
    copy_from:
      form.way === 'copy'
        ? { from: 'deployment', deployment: form.from }
        : form.way === 'undo'
          ? { from: 'undo', run: form.run.trim() }
          : null,
    jitter_percent: whole(form.jitterPercent) ?? 0,
    // Left alone, the core takes the plan's, and for a refresh a part of what the loaders do now.
    limits:
      copies || (perMinute === null && concurrency === null)
        ? null
        : {
            ...USUAL_LIMITS,
            per_minute: perMinute ?? USUAL_LIMITS.per_minute,
            concurrency: concurrency ?? USUAL_LIMITS.concurrency,
          },
    refresh: form.way === 'refresh',
    soften_seconds: null,
  };
}

function keysOf(form: WarmForm, named: string[]): WarmDraft['keys'] {
  switch (form.keys) {
    case 'missed':
      return { which: 'missed' };
    case 'run':
      return { which: 'run', run: form.run.trim() };
    case 'expiring':
      return { which: 'expiring', within_seconds: whole(form.expiringSeconds) ?? 60 };
    case 'named':
      return { which: 'named', keys: named };
  }
}

/** What is filled, as one line for the sheet's head. */
export function warmLine(form: WarmForm, namespace: string): string {
  return [form.plan, namespace.trim(), form.way === 'undo' ? `run ${form.run.trim()}` : '']
    .filter(Boolean)
    .join(', ');
}

/** A warm's figures before it runs. */
export function warmBoxes({ warms, keys }: Pick<Preview, 'warms' | 'keys'>): Box[] {
  const sum = (of: (warm: Preview['warms'][number]) => number) =>
    warms.reduce((all, warm) => all + of(warm), 0);
  const requests = sum(({ requests }) => requests);
  const bytes = sum(({ bytes }) => bytes);
  const known = warms
    .flatMap(({ won_back }) => won_back)
    .filter(({ hit_rate, hit_rate_after }) => hit_rate !== null && hit_rate_after !== null);
  const points = known.map((won) => ((won.hit_rate_after ?? 0) - (won.hit_rate ?? 0)) * 100);
  return [
    {
      name: 'Keys to load',
      figure: grouped(keys),
      under: keys === 0 ? 'the application knows which' : 'missing, or about to expire',
      testid: 'preview-keys',
      value: keys,
    },
    { name: 'There already', figure: grouped(sum(({ there }) => there)), under: 'left as they are' },
    requests > 0
      ? {
          name: 'Requests',
          figure: grouped(requests),
          under: `at least ${span(sum(({ least_seconds }) => least_seconds))}`,
        }
      : { name: 'To be copied', figure: show('bytes', bytes), under: 'at the source' },
    points.length > 0
      ? {
          name: 'Hit rate won back',
          figure: `+${Math.max(...points).toFixed(1)} points`,
          under: known.length === 1 ? (known[0]?.namespace ?? '') : `the most, of ${known.length} namespaces`,
        }
      : {
          name: 'Hit rate won back',
          figure: 'unknown',
          under: 'nobody has counted the misses of these keys',
          tone: 'absent',
        },
  ];
}

/** The hit rate of what is filled, before and now. */
export function hitRateBox({
  hit_rate_before: before,
  hit_rate: now,
}: Pick<RunState, 'hit_rate_before' | 'hit_rate'>): Box {
  return {
    name: 'Hit rate, last minute',
    figure: show('ratio', now),
    under: before === null ? 'not known before' : `${show('ratio', before)} before`,
    ...(now === null && { tone: 'absent' as const }),
  };
}
