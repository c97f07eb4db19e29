// What people do without a pointer.
import { afterAll, beforeEach, expect, test } from 'vitest';

import { Window } from './window';

let window: Window;
beforeEach(async () => {
  window = await Window.thatAnswers(window);
});
afterAll(() => window?.close());

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
