// What the command palette offers, and which of it answers to a few typed letters.

/** Groups in the order in which they stand where nothing was typed. */
export const GROUPS = ['Go to', 'Deployments', 'Namespaces', 'Alerts', 'Actions', 'View'] as const;
export type Group = (typeof GROUPS)[number];

/** Something that can be gone to or done. */
export interface Entry {
  id: string;
  group: Group;
  name: string;
  /** What stands beside it in grey, and is searched as well. */
  about?: string;
  /** Its key, where it has one. */
  keys?: string;
  run: () => void;
}

/** Where the letters of what was typed stand in a name, and how good a match that is. */
export interface Match {
  score: number;
  at: number[];
}

const WORD_START = 8;
const IN_A_ROW = 5;
const GAP = 1;

/**
 * The letters of `typed` in `text`, in order, upper and lower case alike; `null` where one is missing. Beginnings of
 * words and runs count more than scattered letters, and a short name more than a long one.
 */
export function matchOf(typed: string, text: string): Match | null {
  const letters = [...typed.toLowerCase()].filter((letter) => letter.trim() !== '');
  const names = [...text.toLowerCase()];
  const whole = names.join('').indexOf(letters.join(''));
  if (letters.length === 0) return { score: 0, at: [] };
  const at: number[] = [];
  let from = 0;
  let score = 0;
  // A run as it was typed beats the same letters found one by one.
  if (whole >= 0 && names.join('').length === names.length) {
    for (let place = 0; place < letters.length; place += 1) at.push(whole + place);
    score = letters.length * IN_A_ROW + (startsWord(names, whole) ? WORD_START * 2 : 0);
    return { score: score - names.length * 0.05, at };
  }
  for (const letter of letters) {
    const next = nextOf(names, letter, from, at.at(-1));
    if (next < 0) return null;
    if (startsWord(names, next)) score += WORD_START;
    else if (at.at(-1) === next - 1) score += IN_A_ROW;
    else score -= GAP;
    at.push(next);
    from = next + 1;
  }
  return { score: score - names.length * 0.05, at };
}

/** The next place of a letter: right behind the one before, else the next beginning of a word, else any. */
function nextOf(names: string[], letter: string, from: number, before: number | undefined): number {
  if (before !== undefined && names[from] === letter) return from;
  for (let place = from; place < names.length; place += 1)
    if (names[place] === letter && startsWord(names, place)) return place;
  return names.indexOf(letter, from);
}

function startsWord(names: string[], place: number): boolean {
  return place === 0 || /[^\p{L}\p{N}]/u.test(names[place - 1] ?? ' ');
}

/** An entry with what to mark in its name. */
export interface Found {
  entry: Entry;
  at: number[];
}

/** Most entries shown of one group while something is typed, so that one group can't hide the others. */
const MOST_OF_A_GROUP = 8;

/** What answers to what was typed, best first within its group; groups with the best answer first. */
export function find(typed: string, entries: readonly Entry[]): Found[] {
  const wanted = typed.trim();
  const found = entries.flatMap((entry) => {
    const name = matchOf(wanted, entry.name);
    const about = name === null && entry.about ? matchOf(wanted, entry.about) : null;
    const match = name ?? (about && { score: about.score - WORD_START, at: [] });
    return match ? [{ entry, at: match.at, score: match.score }] : [];
  });
  const groups = GROUPS.map((group, order) => {
    const mine = found.filter(({ entry }) => entry.group === group);
    if (wanted !== '') mine.sort((a, b) => b.score - a.score);
    const most = mine.slice(0, wanted === '' ? mine.length : MOST_OF_A_GROUP);
    return { most, best: wanted === '' ? -order : Math.max(-Infinity, ...most.map(({ score }) => score)) };
  });
  groups.sort((a, b) => b.best - a.best);
  return groups.flatMap(({ most }) => most.map(({ entry, at }) => ({ entry, at })));
}

/** A name in parts, those that were typed apart from the others. */
export function parts(name: string, at: readonly number[]): { text: string; typed: boolean }[] {
  const marked = new Set(at);
  const parts: { text: string; typed: boolean }[] = [];
  [...name].forEach((letter, place) => {
    const typed = marked.has(place);
    const last = parts.at(-1);
    if (last && last.typed === typed) last.text += letter;
    else parts.push({ text: letter, typed });
  });
  return parts;
}
