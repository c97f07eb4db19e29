// What stands where, and what is said aloud.
import { afterAll, beforeEach, expect, test } from 'vitest';

import { Window } from './window';

let window: Window;
beforeEach(async () => {
  window = await Window.thatAnswers(window);
});
afterAll(() => window?.close());

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
