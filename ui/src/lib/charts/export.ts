// A chart as text and as a picture.
import type { Columns, ChartSpec } from './plot';

/** The columns under their names: time, lines, and the interval of the first line where there is one. */
function table(spec: ChartSpec, columns: Columns): { head: string[]; rows: (string | number | null)[][] } {
  const lines = spec.lines.length;
  const spread =
    !spec.stacked && (columns[lines + 1] ?? []).some((low, at) => low !== null && low !== columns[1]?.[at]);
  const head = ['time', ...spec.lines.map(({ kind }) => kind), ...(spread ? ['low', 'high'] : [])];
  const rows = (columns[0] ?? []).map((at, index) => [
    new Date((at ?? 0) * 1000).toISOString(),
    ...columns.slice(1, spread ? lines + 3 : lines + 1).map((column) => column[index] ?? null),
  ]);
  return { head, rows };
}

/** In base units, times in UTC; what is not known is empty. */
export function csvOf(spec: ChartSpec, columns: Columns): string {
  const { head, rows } = table(spec, columns);
  const cell = (value: string | number | null) => {
    const text = value === null ? '' : String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}

/** The same as objects, with what it shows and in which unit. */
export function jsonOf(spec: ChartSpec, columns: Columns): string {
  const { head, rows } = table(spec, columns);
  const points = rows.map((row) => Object.fromEntries(head.map((name, place) => [name, row[place] ?? null])));
  const { title, unit, target } = spec;
  return JSON.stringify({ title, unit, target: target?.value ?? null, points }, null, 2);
}

const MARGIN = 12;
const HEAD = 28;

/** A picture of a drawn chart on the page's own ground, with its title. */
export function pictureOf(spec: ChartSpec, drawn: HTMLCanvasElement, about: string): Promise<Blob> {
  const scale = devicePixelRatio;
  const canvas = document.createElement('canvas');
  canvas.width = drawn.width + 2 * MARGIN * scale;
  canvas.height = drawn.height + (2 * MARGIN + HEAD) * scale;
  const context = canvas.getContext('2d');
  if (!context) return Promise.reject(new Error('this webview gives no canvas to draw on'));
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  context.fillStyle = colour('--s1');
  context.fillRect(0, 0, canvas.width, canvas.height);
  const font = (weight: number) => `${weight} ${12 * scale}px "Inter Variable", system-ui, sans-serif`;
  const foot = (MARGIN + 14) * scale;
  context.fillStyle = colour('--t1');
  context.font = font(600);
  context.fillText(spec.title, MARGIN * scale, foot);
  const left = MARGIN * scale + context.measureText(`${spec.title}  `).width;
  context.fillStyle = colour('--t3');
  context.font = font(400);
  context.fillText(about, left, foot);
  context.drawImage(drawn, MARGIN * scale, (MARGIN + HEAD) * scale);
  return new Promise((done, fail) =>
    canvas.toBlob(
      (blob) => (blob ? done(blob) : fail(new Error('the picture could not be made'))),
      'image/png',
    ),
  );
}
