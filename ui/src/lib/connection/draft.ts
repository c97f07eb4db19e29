// The connection form's content: what is typed, and how it becomes what the core takes.
import type { Colour } from '../bindings/Colour';
import type { DeploymentDraft } from '../bindings/DeploymentDraft';
import type { DeploymentView } from '../bindings/DeploymentView';
import type { SshHop } from '../bindings/SshHop';

/** The colours to choose from, in the order of the rainbow. */
export const COLOURS: { value: Colour; name: string }[] = [
  { value: 'grey', name: 'Grey' },
  { value: 'red', name: 'Red' },
  { value: 'orange', name: 'Orange' },
  { value: 'yellow', name: 'Yellow' },
  { value: 'green', name: 'Green' },
  { value: 'teal', name: 'Teal' },
  { value: 'blue', name: 'Blue' },
  { value: 'purple', name: 'Purple' },
];

/** An empty form; a pasted address goes to the field it belongs to. */
export function emptyDraft(address = ''): DeploymentDraft {
  const prometheus = isHttp(address);
  return {
    id: null,
    name: '',
    environment: null,
    redis_url: prometheus ? '' : address,
    redis_password: null,
    ssh: '',
    ssh_key_file: '',
    ssh_secret: null,
    ssh_http: false,
    prometheus_url: prometheus ? address : '',
    prometheus_token: null,
    metrics_urls: [],
    strategy: '',
    ca_file: '',
    cert_file: '',
    key_file: '',
    group: '',
    colour: null,
  };
}

/** The form of a kept deployment. Secrets never come back: their fields stay empty, which keeps them. */
export function draftOf({ deployment }: DeploymentView): DeploymentDraft {
  return {
    ...emptyDraft(),
    id: deployment.id,
    name: deployment.name,
    environment: deployment.environment,
    redis_url: deployment.redis_url ?? '',
    ssh: deployment.ssh ? sshText(deployment.ssh) : '',
    ssh_key_file: deployment.ssh?.key ?? '',
    ssh_http: deployment.ssh_http,
    prometheus_url: deployment.prometheus_url ?? '',
    metrics_urls: [...deployment.metrics_urls],
    strategy: deployment.strategy ?? '',
    ca_file: deployment.tls.ca ?? '',
    cert_file: deployment.tls.cert ?? '',
    key_file: deployment.tls.key ?? '',
    group: deployment.group ?? '',
    colour: deployment.colour,
  };
}

/** Where a secret is kept for one address and another one stands in its field now: that it is not taken along. */
export function notTakenAlong(secret: string, has: boolean, before: string | null, now: string): string {
  if (!has || before === null || now.trim() === '' || now.trim() === before) return '';
  return `The ${secret} that is kept is for ${before}. To another server, user or SSH server it is not sent: type it again.`;
}

/** An address and the SSH server that it is one behind, as both are typed; nothing where there is no address. */
export function behind(address: string, ssh: string): string {
  const typed = address.trim();
  return typed === '' || ssh.trim() === '' ? typed : `${typed} behind ${ssh.trim()}`;
}

/** An SSH server as it is typed: `user@host:port`. */
export function sshText({ user, host, port }: SshHop): string {
  const login = user === null ? '' : `${user}@`;
  if (port === null) return `${login}${host}`;
  return host.includes(':') ? `${login}[${host}]:${port}` : `${login}${host}:${port}`;
}

/** Whether an address is one of HTTP, so of a Prometheus or a metrics page. */
export function isHttp(address: string): boolean {
  return /^https?:\/\//i.test(address.trim());
}

/** Addresses of a field that takes one a line. */
export function linesOf(text: string): string[] {
  return text
    .split(/[\s,]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** The draft as it is sent: trimmed, and an empty secret means "keep what is known". */
export function toSend(draft: DeploymentDraft): DeploymentDraft {
  return {
    ...draft,
    name: draft.name.trim(),
    redis_url: draft.redis_url.trim(),
    prometheus_url: draft.prometheus_url.trim(),
    strategy: draft.strategy.trim(),
    redis_password: draft.redis_password || null,
    ssh: draft.ssh.trim(),
    ssh_key_file: draft.ssh_key_file.trim(),
    ssh_secret: draft.ssh_secret || null,
    prometheus_token: draft.prometheus_token || null,
    ca_file: draft.ca_file.trim(),
    cert_file: draft.cert_file.trim(),
    key_file: draft.key_file.trim(),
    group: draft.group.trim(),
  };
}

/** Whether there is anything to connect to. */
export function hasAddress(draft: DeploymentDraft): boolean {
  return draft.redis_url.trim() !== '' || draft.prometheus_url.trim() !== '' || draft.metrics_urls.length > 0;
}
