// What people with a keyboard, a screen reader, weak eyes or a small window need, on every screen and state.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { STATES, type State } from './states';
import { Window } from './window';

let window: Window;
let axe: string;

beforeAll(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  window = await Window.open();
});
afterAll(() => window?.close());

async function reach(state: State, theme: 'dark' | 'light'): Promise<void> {
  await window.show(state.scene, theme, state.act ? `&act=${state.act}` : '');
  for (const key of state.keys) {
    await window.press(key);
    // Its keys are heard once its rows are there.
    const first = key === 'Control+2' && state.keys.length > 1;
    if (first) await window.waitFor('[data-testid="row"]');
  }
  await window.waitFor(state.shows);
}

/** What axe-core finds, a line an element. */
async function violations(): Promise<string[]> {
  await window.run(`if (!window.axe) { ${axe} }`);
  return window.runAsync(`
    const done = arguments[0];
    // Overlays of a field that has the focus cover what is below them for as long as one types: that is their use.
    const rules = document.querySelector('[data-testid="filter"]:focus') ? { 'target-size': { enabled: false } } : {};
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    axe.run(document, { resultTypes: ['violations'], runOnly: tags, rules }).then(
      ({ violations }) => done(violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, any, all, none }) =>
          id + ': ' + html.slice(0, 200) + ' (' + (any[0] ?? all[0] ?? none[0])?.message + ')'))),
      (error) => done(['axe-core failed: ' + error]),
    );`);
}

describe.each(['dark', 'light'] as const)('in the %s theme', (theme) => {
  test.each(STATES)('axe-core finds nothing on: $name', async (state) => {
    await window.resize(1440, 900);
    await reach(state, theme);
    expect(await violations()).toEqual([]);
    await window.picture(`${state.name.replaceAll(/[^a-z0-9]+/g, '-')}-${theme}`);
  });
});

test('axe-core would find a button without a name: it runs, and it looks', async () => {
  await window.show('busy', 'dark');
  await window.run(`document.body.append(document.createElement('button'))`);
  expect((await violations()).join('\n')).toContain('button-name');
});

test.each(STATES)('everything can be reached at 200 % of 1440 × 900: $name', async (state) => {
  await window.resize(720, 450);
  await reach(state, 'dark');
  // What sticks out of the window and of everything that scrolls can't be reached by anybody.
  const lost = await window.run<string[]>(`
    const scrolls = (element) => {
      for (let around = element.parentElement; around; around = around.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(around);
        if (/auto|scroll/.test(overflowX) || /auto|scroll/.test(overflowY)) return true;
      }
      return false;
    };
    return [...document.querySelectorAll('button, input, select, a[href], [tabindex="0"]')]
      .filter((element) => element.checkVisibility?.() ?? element.offsetParent !== null)
      .filter((element) => !scrolls(element))
      .filter((element) => {
        const { left, right, top, bottom } = element.getBoundingClientRect();
        return left < -1 || top < -1 || right > innerWidth + 1 || bottom > innerHeight + 1;
      })
      .map((element) => element.outerHTML.slice(0, 160));`);
  expect(lost).toEqual([]);
});

describe('by keyboard alone', () => {
  test('Tab goes through the deployment’s controls, each with a visible mark of the focus', async () => {
    await window.resize(1440, 900);
    await window.show('busy', 'dark');
    await window.press('Control+2');
    await window.waitFor('[data-testid="row"]');
    const seen = new Set<string>();
    for (let step = 0; step < 40; step += 1) {
      await window.press('Tab');
      const [name, marked] = await window.run<[string, boolean]>(`
        const on = document.activeElement;
        const style = getComputedStyle(on);
        return [on.outerHTML.slice(0, 120), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];`);
      expect(marked, name).toBe(true);
      seen.add(name);
    }
    expect(seen.size).toBeGreaterThan(30); // it moves on and is caught nowhere
  });

  test('Escape closes the palette and gives the focus back', async () => {
    await window.show('busy', 'dark');
    await window.run(`document.querySelector('[data-testid="open-palette"]').focus()`);
    await window.press('Enter');
    await window.waitFor('[data-testid="palette-field"]:focus');
    await window.press('Escape');
    await window.waitFor('[data-testid="open-palette"]:focus');
  });

  test('a few letters lead to a namespace', async () => {
    await window.show('busy', 'dark');
    await window.press('Control+k');
    await window.waitFor('[data-testid="palette-field"]:focus');
    await window.type('sessi');
    await window.until(
      'the namespace is first',
      `return document.querySelector('[data-testid="command"][aria-selected="true"]')?.textContent.includes('session:')`,
    );
    await window.press('Enter');
    await window.waitFor('[data-testid="namespace-panel"][data-namespace="session:{sessionId}"]');
  });

  test('a row is kept on top by t, whatever the order', async () => {
    await window.show('busy', 'dark');
    await window.press('Control+2');
    await window.waitFor('[data-testid="row"]');
    await window.press('j', 'j', 'j', 't');
    await window.waitFor('[data-testid="pin"][aria-pressed="true"]');
    const pinned = await window.run<string>(
      `return document.querySelector('[data-testid="pin"][aria-pressed="true"]').closest('[data-testid="row"]').dataset.namespace`,
    );
    await window.until(
      'the pinned row stands first',
      `return document.querySelector('[data-testid="row"]').dataset.namespace === arguments[0]`,
      [pinned],
    );
  });

  test('the arrows move the cursor of all charts, and + looks nearer', async () => {
    await window.show('busy', 'dark');
    await window.press('Control+2');
    await window.waitFor('[data-testid="chart-misses"] canvas');
    await window.run(`document.querySelector('[data-testid="chart-misses"] .plot').focus()`);
    await window.press('ArrowLeft', 'ArrowLeft');
    const times = `return [...document.querySelectorAll('[data-testid^="chart-"] .now')].map((now) => now.textContent.trim().slice(0, 5))`;
    await window.until(
      'two charts show the same moment',
      `${times.replace('return ', 'const all = ')}; return all[0] === all[1] && /^\\d\\d:\\d\\d$/.test(all[0])`,
    );
    await window.press('+');
    await window.waitFor('[data-testid="whole-span"]');
    await window.press('0');
    await window.until(
      'all of it is shown',
      `return document.querySelector('[data-testid="whole-span"]') === null`,
    );
  });
});

test('no live region speaks while nothing but figures change', async () => {
  for (const scene of ['busy', 'lost']) {
    await window.show(scene, 'dark');
    await window.press('Control+2');
    await window.waitFor('[data-testid="row"]');
    await window.waitFor('[data-testid="triage-sentence"]'); // the alert is said once, when it comes
    const said = await window.runAsync<string[]>(`
      const done = arguments[0];
      const said = [];
      const live = '[role="status"], [role="alert"], [aria-live]:not([aria-live="off"])';
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          const region = (target.nodeType === 1 ? target : target.parentElement)?.closest(live);
          if (region) said.push(region.outerHTML.slice(0, 160));
        }
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
      // Five frames of figures, whenever they come.
      let frames = 0;
      let last = '';
      const watch = setInterval(() => {
        const now = document.querySelector('[data-testid="row"]').textContent;
        if (now !== last) frames += 1;
        last = now;
        if (frames > 5) { clearInterval(watch); done(said); }
      }, 50);`);
    expect(said, scene).toEqual([]);
  }
});

test('every cell of the table stands below its title', async () => {
  await window.resize(1440, 900);
  await window.show('busy', 'dark');
  await window.press('Control+2');
  await window.waitFor('[data-testid="row"]');
  const [titles, cells] = await window.run<[number[], number[]]>(`
    const edges = (row) => [...document.querySelector(row).children].map((cell) => cell.getBoundingClientRect().left);
    return [edges('.head'), edges('[data-testid="row"]')]`);
  expect(titles.length).toBeGreaterThan(5);
  expect(cells).toEqual(titles);
});

test('letters from right to left, long names and emoji break no layout', async () => {
  await window.resize(1440, 900);
  await window.show('names', 'dark');
  await window.press('Control+2');
  await window.waitFor('[data-testid="row"]');
  const odd = await window.run<string[]>(`
    const rows = [...document.querySelectorAll('[data-testid="row"]')];
    return rows.filter((row) => {
      const name = row.querySelector('.title').getBoundingClientRect();
      const box = row.getBoundingClientRect();
      return box.height !== 32 || name.right > box.right || name.height > 32 ||
        row.querySelector('.title').scrollHeight > 32;
    }).map((row) => row.textContent.slice(0, 80));`);
  expect(odd).toEqual([]);
  await window.picture('names-dark');
});
