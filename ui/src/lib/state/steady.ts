/**
 * Makes one thing a key from its parts, and only where one of the parts is another than last time: what shows a list
 * that comes anew every second then draws only what has changed.
 */
export function steadily<Parts extends unknown[], Made>(
  make: (...parts: Parts) => Made,
): (all: readonly [key: string, ...parts: Parts][]) => Made[] {
  let before = new Map<string, { parts: Parts; made: Made }>();
  return (all) => {
    const now: typeof before = new Map();
    for (const [key, ...parts] of all) {
      const known = before.get(key);
      const same = known?.parts.every((part, place) => Object.is(part, parts[place])) ?? false;
      now.set(key, known && same ? known : { parts, made: make(...parts) });
    }
    before = now;
    return [...now.values()].map(({ made }) => made);
  };
}
