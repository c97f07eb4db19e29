// Channels: what they speak, and how their last delivery went.
import type { ChannelDraft } from '../bindings/ChannelDraft';
import type { ChannelKind } from '../bindings/ChannelKind';
import type { ChannelView } from '../bindings/ChannelView';
import type { Severity } from '../bindings/Severity';
import type { Timestamp } from '../bindings/Timestamp';
import { ago } from '../format/time';
import type { Status } from '../state/status';

/** What a channel speaks, with what its address looks like. */
export const CHANNEL_KINDS: { value: ChannelKind; name: string; example: string; what: string }[] = [
  {
    value: 'slack',
    name: 'Slack',
    example: 'https://host/services/…',
    what: 'A webhook that takes Slack’s JSON: Slack, Mattermost, Rocket.Chat.',
  },
  {
    value: 'webhook',
    name: 'Webhook',
    example: 'https://host/alerts',
    what: 'A webhook of your own that takes our JSON.',
  },
  {
    value: 'alertmanager',
    name: 'Alertmanager',
    example: 'http://host:9093',
    what: 'An Alertmanager; its routes and silences decide who is told.',
  },
];

export const LEAST: { value: Severity; name: string }[] = [
  { value: 'info', name: 'All' },
  { value: 'warning', name: 'Warnings and worse' },
  { value: 'critical', name: 'Critical only' },
];

/** The form of a new channel, or of one that is kept: its secrets stay where they are unless typed anew. */
export function draftOf(view: ChannelView | null): ChannelDraft {
  if (view === null)
    return {
      id: null,
      name: '',
      kind: 'slack',
      on: true,
      least: 'warning',
      resolved: true,
      url: '',
      token: null,
    };
  const { id, name, kind, on, least, resolved } = view.channel;
  return { id, name, kind, on, least, resolved, url: null, token: null };
}

/** What is sent of a form: secrets that were not typed leave those that are kept, unless the token is to be forgotten. */
export function toSend(draft: ChannelDraft, forgetToken = false): ChannelDraft {
  const url = draft.url?.trim() ?? '';
  const token = draft.token?.trim() ?? '';
  return {
    ...draft,
    name: draft.name.trim(),
    url: url === '' ? null : url,
    token: token !== '' ? token : forgetToken ? '' : null,
  };
}

/** What is missing before a form can be kept; empty where nothing is. */
export function missingOf(draft: ChannelDraft): string {
  if (draft.name.trim() === '') return 'Give it a name.';
  if (draft.id === null && (draft.url ?? '').trim() === '') return 'Give its address.';
  return '';
}

/** How a channel stands. */
export function channelStatus({ channel, trouble, delivered_at }: ChannelView): Status {
  if (!channel.on) return { shape: 'ring', tone: 'idle', word: 'off' };
  if (trouble !== '') return { shape: 'cross', tone: 'crit', word: 'failing' };
  if (delivered_at === null) return { shape: 'dashed', tone: 'idle', word: 'nothing sent yet' };
  return { shape: 'circle', tone: 'ok', word: 'works' };
}

/** What is known of its deliveries, in a sentence. */
export function deliveries(
  { delivered_at, waiting, given_up, trouble }: ChannelView,
  now: Timestamp,
): string {
  const parts = [];
  if (trouble !== '') parts.push(trouble);
  if (delivered_at !== null) parts.push(`Last delivered ${ago(delivered_at, now)}.`);
  if (waiting > 0) parts.push(`${waiting} ${waiting === 1 ? 'waits' : 'wait'}.`);
  if (given_up > 0) parts.push(`${given_up} ${given_up === 1 ? 'was' : 'were'} given up.`);
  return parts.join(' ');
}
