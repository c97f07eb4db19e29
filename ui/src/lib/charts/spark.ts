// Spark lines: geometry only.

/** From what to what a spark line's height goes. */
export interface Domain {
  low: number;
  high: number;
}

/**
 * The domain that shows the points and the target, with a little air. A flat line keeps a span of at least
 * `least`, so that noise in the third digit does not look like an earthquake.
 */
export function domainOf(points: readonly (number | null)[], target: number | null, least: number): Domain {
  const known = points.filter((point): point is number => point !== null);
  if (target !== null) known.push(target);
  if (known.length === 0) return { low: 0, high: Math.max(least, 1) };
  const low = Math.min(...known);
  const high = Math.max(...known);
  const air = Math.max((high - low) * 0.1, (least - (high - low)) / 2, 0);
  return { low: low - air, high: high + air };
}

/** Height of a value within the drawing, top down. */
export function heightOf(value: number, { low, high }: Domain, height: number): number {
  const share = high > low ? (value - low) / (high - low) : 0.5;
  return Math.round((height - Math.min(1, Math.max(0, share)) * height) * 10) / 10;
}

/** An SVG path through the points; gaps stay gaps, and a point between two gaps is a short dash. */
export function pathOf(
  points: readonly (number | null)[],
  domain: Domain,
  width: number,
  height: number,
): string {
  if (points.length === 0) return '';
  const step = points.length > 1 ? width / (points.length - 1) : width;
  let path = '';
  let drawing = false;
  points.forEach((point, place) => {
    if (point === null) {
      drawing = false;
      return;
    }
    const x = Math.round(place * step * 10) / 10;
    const y = heightOf(point, domain, height);
    const alone = !drawing && (points[place + 1] ?? null) === null;
    path += alone ? `M${Math.max(0, x - 1)} ${y}h2` : `${drawing ? 'L' : 'M'}${x} ${y}`;
    drawing = true;
  });
  return path;
}
