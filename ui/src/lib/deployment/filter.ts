// The terms of a filter that the page teaches. The core reads filters (crates/app/src/filter.rs); the page only helps
// to write them.

/** One term of each kind, with what it means. */
export const EXAMPLES: readonly { term: string; means: string }[] = [
  { term: 'session', means: 'name or template contains it' },
  { term: 'ns:session*', means: 'name or template is that' },
  { term: 'is:below', means: 'below its target' },
  { term: 'is:silent', means: 'no lookups in the window' },
  { term: 'is:found', means: 'found in the keys, not documented' },
  { term: 'hit<80%', means: 'also lookups, misses, evict, expire, keys' },
  { term: 'mem>100MB', means: 'kB, MB, GB by 1024' },
  { term: 'p99>5ms', means: 'us, ms, s' },
  { term: 'ttl>1h', means: 's, m, h, d; nottl>50%' },
  { term: '-is:found', means: 'a minus turns a term round' },
];

/** A filter with one more term. */
export function withTerm(filter: string, term: string): string {
  const before = filter.trim();
  return before === '' ? term : `${before} ${term}`;
}

/** A filter that keeps what has this text in its name or template, whatever signs the text has. */
export function containing(text: string): string {
  const plain = text.replaceAll('"', ' ').trim();
  return plain === '' ? '' : `"${plain}"`;
}
