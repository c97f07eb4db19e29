// Which of the keys that stand out are shown, and how sure their rates are.
import type { KeyRate } from '../bindings/KeyRate';
import { show } from '../format/numbers';

/** This many are shown until all are asked for. */
export const FEW = 5;

/** The first few; one more is shown rather than hidden behind a button of its own. */
export function fewest<T>(all: readonly T[], few = FEW): readonly T[] {
  return all.length <= few + 1 ? all : all.slice(0, few);
}

/** How many logical databases the keys come from. */
export function databases(keys: readonly Pick<KeyRate, 'database'>[]): number {
  return new Set(keys.map(({ database }) => database)).size;
}

/** The interval with its unit once, such as "1.1 to 1.4 /s"; empty where both ends read the same. */
export function rateInterval({ low, high }: Pick<KeyRate, 'low' | 'high'>): string {
  const [from, to] = [show('per_second', low), show('per_second', high)];
  if (from === to) return '';
  return `${from.replace(/\s\/s$/u, '')} to ${to}`;
}
