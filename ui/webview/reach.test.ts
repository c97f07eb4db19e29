// Every control of every screen and state in a small window, or with a page enlarged to twice its size.
import { afterAll, beforeEach, expect, test } from 'vitest';

import { reach, STATES } from './states';
import { Window } from './window';

let window: Window;
beforeEach(async () => {
  window = await Window.thatAnswers(window);
});
afterAll(() => window?.close());

test.each(STATES)('everything can be reached at 200 % of 1440 × 900: $name', async (state) => {
  await window.resize(720, 450);
  await reach(window, state, 'dark');
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
