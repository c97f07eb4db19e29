// Small choices that outlive the window. A store that is full or forbidden costs the choice, nothing else.

/** A stored choice, where it is one of those allowed. */
export function stored<Choice extends string>(
  key: string,
  allowed: readonly Choice[],
  otherwise: Choice,
): Choice {
  try {
    const value = localStorage.getItem(key) as Choice | null;
    return value !== null && allowed.includes(value) ? value : otherwise;
  } catch {
    return otherwise;
  }
}

/** A stored text; empty where there is none. */
export function storedText(key: string): string {
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

/** Keeps a choice. */
export function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Nothing depends on it: the choice holds until the window closes.
  }
}
