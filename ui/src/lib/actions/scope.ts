// The first step of the sheet: what is meant, as it is typed, and how it becomes what the core plans from.
import type { ActionDraft } from '../bindings/ActionDraft';
import type { DeploymentId } from '../bindings/DeploymentId';
import type { PlaybookView } from '../bindings/PlaybookView';
import { usualWarm, warmDraft, warmLine, warmMissing, type WarmForm } from './warm';

/** What somebody wants to act on; whatever is known already. */
export interface ActionWish {
  deployment: DeploymentId;
  /** A playbook's name. */
  playbook?: string;
  /** A warm plan's name. */
  warm?: string;
  /** A namespace's template. */
  namespace?: string;
  /** With a namespace: only this tenant. */
  tenant?: string;
  /** With a namespace: fill its keys instead of removing them. */
  fill?: boolean;
  /** Fill what this run removed. */
  ofRun?: string;
}

export type ScopeKind = 'namespace' | 'pattern' | 'keys' | 'tag' | 'playbook' | 'warm';

export const KINDS: { value: ScopeKind; name: string }[] = [
  { value: 'namespace', name: 'Namespace' },
  { value: 'playbook', name: 'Playbook' },
  { value: 'pattern', name: 'Pattern' },
  { value: 'keys', name: 'Keys' },
  { value: 'tag', name: 'Tag' },
  { value: 'warm', name: 'Warm' },
];

/** What is typed, of every kind, so that nothing is lost by looking at another kind. */
export interface ScopeForm {
  kind: ScopeKind;
  namespace: string;
  tenant: string;
  staleBelow: string;
  pattern: string;
  /** A logical database; empty for every one, or for 0 where keys are named. */
  database: string;
  /** Whether the keys of a pattern are deleted, or their time to live is shortened. */
  soften: boolean;
  ttlSeconds: string;
  jitterSeconds: string;
  keys: string;
  tag: string;
  playbook: string;
  parameters: Record<string, string>;
  warm: WarmForm;
}

/** The form that a wish fills. */
export function scopeOf(
  wish: Pick<ActionWish, 'playbook' | 'namespace' | 'tenant' | 'warm' | 'fill' | 'ofRun'>,
): ScopeForm {
  const warms = wish.warm !== undefined || wish.fill === true || wish.ofRun !== undefined;
  return {
    kind: warms ? 'warm' : wish.playbook === undefined ? 'namespace' : 'playbook',
    namespace: wish.namespace ?? '',
    tenant: wish.tenant ?? '',
    staleBelow: '',
    pattern: '',
    database: '',
    soften: false,
    ttlSeconds: '300',
    jitterSeconds: '60',
    keys: '',
    tag: '',
    playbook: wish.playbook ?? '',
    parameters: {},
    warm: {
      ...usualWarm,
      plan: wish.warm ?? '',
      ...(wish.ofRun !== undefined && { keys: 'run', run: wish.ofRun }),
    },
  };
}

/** The named keys, one a line; empty lines are none. A key's own newline is written `\n`. */
export function keyLines(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line !== '');
}

const whole = (text: string): number | null => (/^\d{1,15}$/.test(text.trim()) ? Number(text) : null);
const seconds = (text: string): number | null => {
  const value = Number(text);
  return text.trim() !== '' && Number.isFinite(value) && value >= 0 ? value : null;
};

/** Redis has no more than this many logical databases by default; the core knows how many there are. */
const LAST_DATABASE = 65_535;

/** What is missing before the keys can be counted, one sentence; `null` where nothing is. The core judges again. */
export function missing(form: ScopeForm, playbooks: readonly PlaybookView[] | null): string | null {
  const database = form.database.trim() === '' ? 0 : whole(form.database);
  const bare = form.kind === 'pattern' || form.kind === 'keys';
  if (bare && (database === null || database > LAST_DATABASE))
    return 'A logical database is a number, 0 or more.';
  switch (form.kind) {
    case 'namespace':
      if (form.namespace.trim() === '') return 'Choose a namespace.';
      if (form.staleBelow.trim() !== '' && whole(form.staleBelow) === null)
        return 'A version is a number, 0 or more.';
      return null;
    case 'pattern':
      if (form.pattern === '') return 'Type a pattern. An empty one would mean every key, and is refused.';
      if (/^\*+$/.test(form.pattern))
        return 'This means every key, and is refused. Name what the keys begin with.';
      if (form.soften && !((seconds(form.ttlSeconds) ?? 0) > 0))
        return 'Say how many seconds are left to the keys.';
      if (form.soften && seconds(form.jitterSeconds) === null)
        return 'The spread is a number of seconds, 0 or more.';
      if (form.soften && Number(form.jitterSeconds) >= Number(form.ttlSeconds))
        return 'The spread has to be shorter than what is left to the keys.';
      return null;
    case 'keys':
      return keyLines(form.keys).length === 0 ? 'Name at least one key, one a line.' : null;
    case 'tag':
      return form.tag.trim() === '' ? 'Type a tag, such as tenant:7.' : null;
    case 'warm':
      return warmMissing(form.warm, form.namespace);
    case 'playbook': {
      if (form.playbook === '') return 'Choose a playbook.';
      const playbook = playbooks?.find(({ name }) => name === form.playbook);
      const open = playbook?.parameters.find((name) => (form.parameters[name] ?? '').trim() === '');
      return open === undefined ? null : `Fill in ${open}.`;
    }
  }
}

/** What the core makes the plan from. */
export function draftOf(form: ScopeForm): ActionDraft {
  const database = whole(form.database);
  switch (form.kind) {
    case 'namespace':
      return {
        kind: 'namespace',
        template: form.namespace.trim(),
        tenant: form.tenant.trim() === '' ? null : form.tenant.trim(),
        stale_below: whole(form.staleBelow),
      };
    case 'pattern':
      if (!form.soften) return { kind: 'pattern', pattern: form.pattern, database };
      return {
        kind: 'soften',
        pattern: form.pattern,
        ttl_seconds: seconds(form.ttlSeconds) ?? 0,
        jitter_seconds: seconds(form.jitterSeconds) ?? 0,
      };
    case 'keys':
      return { kind: 'keys', keys: keyLines(form.keys), database: database ?? 0 };
    case 'tag':
      return { kind: 'tag', tag: form.tag.trim() };
    case 'warm':
      return { kind: 'warm', warm: warmDraft(form.warm, form.namespace, form.tenant, keyLines(form.keys)) };
    case 'playbook':
      return { kind: 'playbook', name: form.playbook, parameters: { ...form.parameters } };
  }
}

/** The scope as one line, for the sheet's head. */
export function scopeLine(form: ScopeForm): string {
  switch (form.kind) {
    case 'namespace':
      return form.namespace + (form.tenant.trim() === '' ? '' : `, tenant ${form.tenant.trim()}`);
    case 'pattern':
      return form.pattern;
    case 'keys': {
      const keys = keyLines(form.keys);
      return keys.length === 1 ? (keys[0] ?? '') : keys.length === 0 ? '' : `${keys.length} named keys`;
    }
    case 'tag':
      return form.tag.trim();
    case 'warm':
      return warmLine(form.warm, form.namespace);
    case 'playbook':
      return Object.values(form.parameters).filter(Boolean).join(', ');
  }
}
