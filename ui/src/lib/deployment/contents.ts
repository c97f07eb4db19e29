// What a scan found in a namespace, in words.
import type { BigKey } from '../bindings/BigKey';
import type { KindCount } from '../bindings/KindCount';
import type { NamespaceContents } from '../bindings/NamespaceContents';
import type { Quantiles } from '../bindings/Quantiles';
import { grouped, show } from '../format/numbers';
import { span } from '../format/time';

const NBSP = '\u00a0';

/** Each word with its keys, most frequent first: "string 32, hash 4". */
export function kinds(counts: readonly KindCount[]): string {
  if (counts.length === 0) return 'no key was asked';
  return counts.map(({ name, keys }) => `${name}${NBSP}${grouped(keys)}`).join(', ');
}

/** Where a span of time lies: "p50 30 s, p90 30 min, p99 2 h". */
export function spread({ p50, p90, p99 }: Quantiles): string {
  return `p50${NBSP}${span(p50)}, p90${NBSP}${span(p90)}, p99${NBSP}${span(p99)}`;
}

/** How long keys were not used; servers with an LFU policy don't say. */
export function idle({ idle_seconds, types }: NamespaceContents): string {
  if (idle_seconds) return spread(idle_seconds);
  return types.length === 0 ? 'no key was asked' : 'the server does not say, as under an LFU policy';
}

/** How long keys that expire have left. */
export function timeLeft({ ttl_seconds, asked }: NamespaceContents): string {
  if (ttl_seconds) return spread(ttl_seconds);
  return asked === 0 ? 'no key was asked' : `none of ${grouped(asked)} keys asked expires`;
}

/** How much of the namespace the words and the biggest keys rest on. */
export function basis({ met, weighed, types }: NamespaceContents): string {
  const sampled = types.reduce((sum, { keys }) => sum + keys, 0);
  return (
    `Of ${grouped(met)} keys met, ${grouped(weighed)} were weighed; ` +
    `types, encodings and idle times are of a sample of ${grouped(sampled)}.`
  );
}

/** Bytes of a key; where only some of its elements were weighed, it says so. */
export function weight({ bytes, estimated }: Pick<BigKey, 'bytes' | 'estimated'>): string {
  return `${estimated ? `≈${NBSP}` : ''}${show('bytes', bytes)}`;
}

/** What else is known of a big key: "db 1, hash, 45 min left". */
export function about({ database, kind, ttl_seconds, expires }: BigKey, several: boolean): string {
  const left = ttl_seconds !== null ? `${span(ttl_seconds)} left` : expires === false ? 'no expiry' : '';
  return [several ? `db ${database}` : '', kind ?? '', left].filter(Boolean).join(', ');
}
