// How fast the namespace table answers with 5,000 namespaces at one frame a second, and how busy the page's main thread
// is. The invented figures are made, sorted and filtered in the page itself, which the core does in the real window: what
// that takes is measured apart. Prints, and asserts nothing: machines differ.
import { readdir, readFile } from 'node:fs/promises';

import { afterAll, beforeAll, test } from 'vitest';

import { Window } from './window';

let window: Window;
beforeAll(async () => {
  window = await Window.open();
  await window.resize(1440, 900);
  await window.show('many', 'dark');
  await window.press('Control+2');
  await window.waitFor('[data-testid="row"]');
});
afterAll(() => window?.close());

const TIMES = 12;

/** Milliseconds from `act` until `done` holds and was painted; both are bodies of functions of the page. */
function answer(act: string, done: string): Promise<number> {
  return window.runAsync(`
    const finished = arguments[0];
    const rows = () => [...document.querySelectorAll('[data-testid="row"]')];
    const table = document.querySelector('[data-testid="table"]');
    const before = rows()[0]?.dataset.namespace;
    const begun = performance.now();
    (() => { ${act} })();
    const look = () => {
      if ((() => { ${done} })()) requestAnimationFrame(() => setTimeout(() => finished(performance.now() - begun)));
      else if (performance.now() - begun > 10000) finished(NaN);
      else requestAnimationFrame(look);
    };
    look();`);
}

function summary(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return `median ${sorted[Math.floor(sorted.length / 2)]?.toFixed(0)} ms, most ${sorted.at(-1)?.toFixed(0)} ms`;
}

async function several(name: string, act: (turn: number) => [string, string]): Promise<void> {
  const values: number[] = [];
  const [before, madeBefore] = [await mainThread(), await invented()];
  for (let turn = 0; turn < TIMES; turn += 1) values.push(await answer(...act(turn)));
  const cpu = ((await mainThread()) - before) / TIMES;
  const made = ((await invented()) - madeBefore) / TIMES;
  print(
    `${name}: ${summary(values)} of ${TIMES}; ${(cpu * 1000).toFixed(0)} ms of the main thread each, of which ` +
      `${made.toFixed(0)} ms make the invented figures`,
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Milliseconds that the invented figures took of the main thread so far, by the clock. */
function invented(): Promise<number> {
  return window.run(`return window.cachescopeInvented ?? 0`);
}

/** CPU seconds of the main thread of the page's process: utime and stime of proc(5). */
async function mainThread(): Promise<number> {
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const { name, cpu } = await statOf(id);
    if (name === 'WebKitWebProces' && (await isOurs(id))) return cpu;
  }
  throw new Error('the page has no process');
}

/** Whether a process descends from the driver of this window: others may measure on the same machine. */
async function isOurs(id: string): Promise<boolean> {
  const port = new URL(window.driver).port;
  for (let above = id; above !== '0' && above !== ''; above = (await statOf(above)).parent) {
    const command = await readFile(`/proc/${above}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(`--port=${port}`)) return true;
  }
  return false;
}

/** Name, parent and CPU seconds of the main thread of a process; nothing of one that is gone. */
async function statOf(id: string): Promise<{ name: string; parent: string; cpu: number }> {
  const stat = await readFile(`/proc/${id}/task/${id}/stat`, 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  return { name, parent: fields[1] ?? '', cpu: (Number(fields[11]) + Number(fields[12])) / 100 };
}

test('5,000 namespaces at 1 Hz', async () => {
  await several('sorting', (turn) => [
    `document.querySelector('.head .col-${['lookups', 'misses', 'p99', 'memory'][turn % 4]} button').click()`,
    `return rows()[0]?.dataset.namespace !== before`,
  ]);
  await several('filtering', (turn) => [
    `const field = document.querySelector('[data-testid="filter"]');
     field.value = '${['user', 'order', 'price', 'cart'][turn % 4]}';
     field.dispatchEvent(new InputEvent('input', { bubbles: true }))`,
    `return rows().length > 0 && rows().every((row) => row.dataset.namespace.includes('${['user', 'order', 'price', 'cart'][turn % 4]}'))`,
  ]);
  await window.run(`
    const field = document.querySelector('[data-testid="filter"]');
    field.value = '';
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));`);
  await window.until(
    'all are shown',
    `return document.querySelector('[data-testid="row-count"]').dataset.value === '5000'`,
  );
  await several('scrolling', (turn) => [
    `table.scrollTop = ${(turn + 1) * 9_000}`,
    `const first = Math.floor(table.scrollTop / 32);
     return rows().some((row) => Number(row.ariaRowIndex ?? row.getAttribute('aria-rowindex')) === first + 2)`,
  ]);

  const own = await invented();
  const [cpu, at] = [await mainThread(), Date.now()];
  await new Promise((later) => setTimeout(later, 20_000));
  const busy = ((await mainThread()) - cpu) / ((Date.now() - at) / 1000);
  const made = (await invented()) - own;
  print(
    `main thread: ${(busy * 100).toFixed(1)} % of a core, of which ${((made / (Date.now() - at)) * 100).toFixed(1)} % make the invented figures`,
  );
});
