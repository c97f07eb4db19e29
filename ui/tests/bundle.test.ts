// What a build must hold and must not hold.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { SENTINEL } from '../src/lib/host/fixture';

const ui = fileURLToPath(new URL('..', import.meta.url));
let outDir: string;
let text: Map<string, string>;

beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), 'cachescope-bundle-'));
  await build({ root: ui, mode: 'production', logLevel: 'error', build: { outDir, emptyOutDir: true } });
  const files = await readdir(outDir, { recursive: true });
  const readable = files.filter((file) => /\.(html|js|css)$/.test(file));
  text = new Map(
    await Promise.all(
      readable.map(async (file) => [file, await readFile(join(outDir, file), 'utf8')] as const),
    ),
  );
});
afterAll(() => rm(outDir, { recursive: true, force: true }));

test('no invented figure is in the build', () => {
  expect(text.size).toBeGreaterThan(2);
  for (const [file, content] of text) expect(content.includes(SENTINEL), file).toBe(false);
});

test('the page has no inline script, so that the content security policy can forbid it', () => {
  const html = text.get('index.html') ?? '';
  expect(html).toContain('<script');
  for (const [script] of html.matchAll(/<script[^>]*>[^<]*<\/script>/g))
    expect(script).toMatch(/src="[^"]+"[^>]*><\/script>/);
});

test('nothing is loaded from elsewhere', () => {
  // Names, not addresses: XML namespaces, and pages that an error message of Svelte points to.
  const known = /^https?:\/\/(www\.w3\.org|svelte\.dev)\b/;
  // Examples in placeholders and hints of forms. `.example` is nobody's (RFC 2606).
  const examples = /^https?:\/\/((user:password@)?(app|host)\b|[\w-]+\.example$)/;
  for (const [file, content] of text) {
    const addresses = [...content.matchAll(/https?:\/\/[\w@:.-]+/g)].map(([address]) => address);
    expect(
      addresses.filter((address) => !known.test(address) && !examples.test(address)),
      file,
    ).toEqual([]);
  }
});

test('what is not looked at at the start is in files of its own', () => {
  const html = text.get('index.html') ?? '';
  // What the page names is loaded at the start, and so is what those files import by name.
  const atStart = new Set([...html.matchAll(/assets\/[\w.-]+\.(?:js|css)/g)].map(([file]) => file));
  for (const file of atStart)
    for (const [, imported] of (text.get(file) ?? '').matchAll(/\bfrom"\.\/([\w.-]+\.js)"/g))
      atStart.add(`assets/${imported}`);
  const late = [...text.keys()].filter((file) => !atStart.has(file)).join(' ');
  for (const screen of ['ActionSheetView', 'ActionsPage', 'Alerts', 'ConnectionForm', 'Settings', 'Strategy'])
    expect(late).toMatch(new RegExp(`${screen}-[\\w-]+\\.js`));
  const size = [...atStart].reduce((sum, file) => sum + (text.get(file) ?? '').length, 0);
  const all = [...text.values()].reduce((sum, content) => sum + content.length, 0);
  expect(size, `${size} of ${all}`).toBeLessThan(all * 0.6);
});
