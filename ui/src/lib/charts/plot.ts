// uPlot, loaded when the first chart needs it, and how our charts look.
import type uPlot from 'uplot';

import type { HistoryPoint } from '../bindings/HistoryPoint';
import type { Unit } from '../bindings/Unit';
import { show } from '../format/numbers';
import { normaliseLanguage } from './language';
import type { Span } from './zoom';

let loading: Promise<typeof uPlot> | undefined;

/** Loads uPlot once. */
export function loadPlot(): Promise<typeof uPlot> {
  loading ??= (async () => {
    normaliseLanguage(navigator);
    return (await import('uplot')).default;
  })();
  return loading;
}

/** One line's points, oldest first: the history of a reading, or of a part of a whole. */
export interface Series {
  kind: string;
  points: readonly HistoryPoint[];
}

/** Something that happened, at a moment in milliseconds; `colour` is the name of a custom property. */
export interface ChartEvent {
  at: number;
  name: string;
  colour: string;
}

/** What one chart shows. */
export interface ChartSpec<Kind extends string = string> {
  id: string;
  title: string;
  unit: Unit;
  /** The first is the main line; `colour` is the name of a custom property. */
  lines: { kind: Kind; name: string; colour: string }[];
  /** A dashed line with its name. */
  target?: { value: number; name: string } | null;
  /** The lines are parts of a whole, drawn as areas on each other, the first lowest. */
  stacked?: boolean;
  /** Dotted lines with their names. */
  events?: readonly ChartEvent[];
}

/** Columns as uPlot takes them: seconds, then each line, then the first line's interval, low and high. */
export type Columns = readonly (readonly (number | null)[])[];

/** Columns for uPlot: seconds, then each line, then the first line's interval, low and high. */
export function columnsOf(spec: ChartSpec, series: readonly Series[]): (number | null)[][] {
  const times = new Set<number>();
  const points = spec.lines.map(({ kind }) => series.find((one) => one.kind === kind)?.points ?? []);
  for (const line of points) for (const { at } of line) times.add(at);
  const at = [...times].sort((a, b) => a - b);
  const place = new Map(at.map((time, index) => [time, index]));
  const column = () => new Array<number | null>(at.length).fill(null);
  const values = points.map((line) => {
    const values = column();
    for (const point of line) values[place.get(point.at) ?? 0] = point.value;
    return values;
  });
  const low = column();
  const high = column();
  for (const point of points[0] ?? []) {
    const index = place.get(point.at) ?? 0;
    low[index] = point.low;
    high[index] = point.high;
  }
  return [at.map((time) => time / 1000), ...values, low, high];
}

/** Each line on top of those before it. Where one of them is a gap, all are: part of a whole says nothing. */
export function stackOf(columns: readonly (number | null)[][], lines: number): (number | null)[][] {
  let below: (number | null)[] | undefined;
  return columns.map((column, place) => {
    if (place === 0 || place > lines) return column;
    const under = below;
    below = column.map((value, at) => {
      const ground = under ? (under[at] ?? null) : 0;
      return value === null || ground === null ? null : value + ground;
    });
    return below;
  });
}

/** Whether any line has any value. */
export function hasValues(columns: Columns, lines: number): boolean {
  return columns.slice(1, 1 + lines).some((column) => column.some((value) => value !== null));
}

/**
 * The range of the value axis. Ratios of hits hang from 100 %, everything else stands on zero; both keep the target
 * in view and a span that noise can't fill.
 */
export function rangeOf(spec: ChartSpec, columns: Columns): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const column of columns.slice(1)) {
    for (const value of column) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (spec.target) {
    low = Math.min(low, spec.target.value);
    high = Math.max(high, spec.target.value);
  }
  if (spec.unit === 'ratio') {
    const floor = Number.isFinite(low) ? Math.max(0, low - Math.max((1 - low) * 0.15, 0.005)) : 0;
    return [Math.min(floor, 0.98), 1];
  }
  return [0, Number.isFinite(high) && high > 0 ? high * 1.12 : 1];
}

/** A chart shows at least this much time, in seconds. */
const SHORTEST_SPAN = 120;

/**
 * From when to when a chart goes, in seconds: the last `seconds`, or since the first value while there is less, so
 * that the first minutes are not a speck at its edge.
 */
export function spanOf(columns: Columns, lines: number, seconds: number, now: number): [number, number] {
  const at = columns[0] ?? [];
  const first = at.findIndex((_, place) => columns.slice(1, 1 + lines).some((line) => line[place] != null));
  const begin = at[first] ?? now - seconds;
  return [Math.max(now - seconds, Math.min(begin, now - SHORTEST_SPAN)), now];
}

const BINARY_STEPS = [1, 1024, 1024 ** 2, 1024 ** 3, 1024 ** 4].flatMap((unit) =>
  [1, 2, 5, 10, 20, 50, 100, 200, 500].map((step) => step * unit),
);

const AXIS_WIDTH = 52;
// A whole number of pixels: uPlot scales the size by a pattern that knows no decimals.
const TICK_FONT = '11px "Inter Variable", system-ui, sans-serif';

/** Options of a chart over the last `seconds`, in the colours that the page has now. */
export function optionsOf(
  spec: ChartSpec,
  size: { width: number; height: number },
  seconds: number,
  columns: () => Columns,
  onCursor: (index: number | null) => void,
  events: () => readonly ChartEvent[] = () => [],
  zoom: () => Span | null = () => null,
  onDrag: ((from: number, to: number) => void) | null = null,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const lines = spec.lines.length;
  const axis = { stroke: colour('--t3'), font: TICK_FONT, ticks: { show: false } } as const;
  const main = colour(spec.lines[0]?.colour ?? '--t1');
  return {
    ...size,
    legend: { show: false },
    padding: [8, 14, 0, 0],
    cursor: {
      sync: { key: 'panel' },
      drag: { x: onDrag !== null, y: false, setScale: false },
      y: false,
      points: { size: 6, width: 1.5 },
    },
    scales: {
      x: {
        time: true,
        range: () => {
          const part = zoom();
          return part ? [part.from, part.to] : spanOf(columns(), lines, seconds, Date.now() / 1000);
        },
      },
      y: { range: () => rangeOf(spec, columns()) },
    },
    axes: [
      {
        ...axis,
        size: 20,
        gap: 3,
        space: 70,
        grid: { show: false },
        values: (_plot, ticks, _axis, _space, step) => ticks.map((tick) => hourAndMinute(tick, step)),
      },
      {
        ...axis,
        size: AXIS_WIDTH,
        gap: 6,
        space: 26,
        grid: { stroke: colour('--line'), width: 1 },
        ...(spec.unit === 'bytes' ? { incrs: BINARY_STEPS } : {}),
        values: (_plot, ticks) =>
          ticks.map((tick) => show(spec.unit, tick).replace('.00', '').replace('.0', '')),
      },
    ],
    series: [
      {},
      ...spec.lines.map(({ colour: name }, place) => ({
        stroke: colour(name),
        ...(spec.stacked && place === 0 ? { fill: colour(name) } : {}),
        width: spec.stacked ? 1 : 1.5,
        points: { show: false },
        spanGaps: false,
      })),
      { stroke: 'transparent', width: 0, points: { show: false } },
      { stroke: 'transparent', width: 0, points: { show: false } },
    ],
    bands: spec.stacked
      ? spec.lines
          .slice(1)
          .map(({ colour: name }, place) => ({ series: [place + 2, place + 1], fill: colour(name) }))
      : [{ series: [lines + 2, lines + 1], fill: `${main}33` }],
    hooks: {
      draw: [
        (plot) => drawEvents(plot, spec, events(), colour),
        (plot) =>
          drawTarget(plot, spec, { line: colour('--t2'), text: colour('--t3'), plate: colour('--s1') }),
      ],
      setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width === 0) return;
          onDrag?.(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

function hourAndMinute(seconds: number, step: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return step < 60 ? `${minutes}:${two(date.getSeconds())}` : minutes;
}

function drawTarget(
  plot: uPlot,
  { target }: ChartSpec,
  { line, text, plate }: { line: string; text: string; plate: string },
): void {
  if (!target) return;
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(target.value, 'y', true));
  if (y < bbox.top || y > bbox.top + bbox.height) return;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = line;
  ctx.lineWidth = scale;
  ctx.setLineDash([4 * scale, 4 * scale]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.font = `${11 * scale}px "Inter Variable", system-ui, sans-serif`;
  ctx.textAlign = 'right';
  const above = y - bbox.top > 16 * scale;
  ctx.textBaseline = above ? 'bottom' : 'top';
  // A plate behind the name keeps it readable where the line itself passes.
  const right = bbox.left + bbox.width;
  const width = ctx.measureText(target.name).width + 4 * scale;
  ctx.globalAlpha = 0.8;
  ctx.fillStyle = plate;
  ctx.fillRect(right - width, above ? y - 16 * scale : y + 2 * scale, width + 2 * scale, 14 * scale);
  ctx.globalAlpha = 1;
  ctx.fillStyle = text;
  ctx.fillText(target.name, right, y + (above ? -3 : 4) * scale);
  ctx.restore();
}

/** Dotted upright lines; a name stands at the end of its line that is away from the target, where there is room. */
function drawEvents(
  plot: uPlot,
  { target }: ChartSpec,
  events: readonly ChartEvent[],
  colour: (name: string) => string,
): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  const targetLow = target != null && plot.valToPos(target.value, 'y', true) > bbox.top + bbox.height / 2;
  const foot = targetLow ? bbox.top + 13 * scale : bbox.top + bbox.height - 2 * scale;
  let taken = bbox.left;
  ctx.save();
  ctx.font = `${11 * scale}px "Inter Variable", system-ui, sans-serif`;
  ctx.textAlign = 'left'; // the axes leave theirs behind
  ctx.textBaseline = 'bottom';
  ctx.lineWidth = scale;
  for (const { at, name, colour: named } of events) {
    const x = Math.round(plot.valToPos(at / 1000, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = colour(named);
    ctx.setLineDash([scale, 3 * scale]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (name === '') continue;
    const width = ctx.measureText(name).width + 8 * scale;
    const left = x - width >= taken ? x - width : x;
    if (left < taken || left + width > bbox.left + bbox.width) continue;
    taken = left + width;
    ctx.globalAlpha = 0.8;
    ctx.fillStyle = colour('--s1');
    ctx.fillRect(left + 2 * scale, foot - 13 * scale, width - 4 * scale, 13 * scale);
    ctx.globalAlpha = 1;
    ctx.fillStyle = colour(named);
    ctx.fillText(name, left + 4 * scale, foot);
  }
  ctx.restore();
}
