// What axe-core finds on every screen and state, in both themes.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { reach, STATES } from './states';
import { Window } from './window';

let window: Window;
let axe: string;

beforeAll(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
});
beforeEach(async () => {
  window = await Window.thatAnswers(window);
});
afterAll(() => window?.close());

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
    await reach(window, state, theme);
    expect(await violations()).toEqual([]);
    await window.picture(`${state.name.replaceAll(/[^a-z0-9]+/g, '-')}-${theme}`);
  });
});

test('axe-core would find a button without a name: it runs, and it looks', async () => {
  await window.show('busy', 'dark');
  await window.run(`document.body.append(document.createElement('button'))`);
  expect((await violations()).join('\n')).toContain('button-name');
});
