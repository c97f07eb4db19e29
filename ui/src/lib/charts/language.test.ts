import { afterEach, expect, test, vi } from 'vitest';

import { normaliseLanguage } from './language';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** As much of a browser as uPlot looks at while it loads. */
function browserSpeaking(language: string): { language: string } {
  const navigator = { language };
  vi.stubGlobal('navigator', navigator);
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('document', {});
  vi.stubGlobal('devicePixelRatio', 1);
  vi.stubGlobal('matchMedia', () => ({ addEventListener: () => {}, removeEventListener: () => {} }));
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('dispatchEvent', () => true);
  vi.stubGlobal('CustomEvent', Object);
  return navigator;
}

test('uPlot still dies while loading where the language is no tag: the reason for all this', async () => {
  browserSpeaking('c');
  await expect(import('uplot')).rejects.toThrow(RangeError);
});

test('uPlot loads once the language was normalised', async () => {
  normaliseLanguage(browserSpeaking('c'));
  expect((await import('uplot')).default).toBeTypeOf('function');
});

test('a language that is a tag stays', () => {
  const navigator = browserSpeaking('de-CH');
  normaliseLanguage(navigator);
  expect(navigator.language).toBe('de-CH');
});
