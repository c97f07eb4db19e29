import { beforeEach, expect, test } from 'vitest';

import type { AdoptionView } from '../bindings/AdoptionView';
import type { Request } from '../bindings/Request';
import { useTransport } from '../host/host';
import { Adoption } from './adoption.svelte';

let asked: string[] = [];
let answer: (request: Request) => AdoptionView;

const view = (names: string[]): AdoptionView => ({
  file: '/state/strategies/d.toml',
  new_file: true,
  added: names.map((name) => `[[namespace]]\nname = "${name}"\n`).join(''),
  names,
});

beforeEach(() => {
  asked = [];
  answer = () => view(['cart']);
  useTransport({
    request: (request) => {
      if (request.request !== 'preview_adoption' && request.request !== 'adopt')
        return Promise.reject(new Error(`not asked for here: ${request.request}`));
      asked.push(`${request.request} ${request.deployment} ${request.namespaces.join()}`);
      try {
        return Promise.resolve({ reply: request.request, data: answer(request) });
      } catch (error) {
        return Promise.reject(error);
      }
    },
    watch: () => Promise.resolve(),
  });
});

test('nothing is written before what would be written was shown', async () => {
  const adoption = new Adoption('d', 'cart:{id}');
  expect(await adoption.adopt()).toBe(false);
  await adoption.read();
  expect(adoption.preview?.file).toBe('/state/strategies/d.toml');
  expect(asked).toEqual(['preview_adoption d cart:{id}']);
});

test('what was shown is adopted once', async () => {
  const adoption = new Adoption('d', 'cart:{id}');
  await adoption.read();
  expect(await adoption.adopt()).toBe(true);
  expect(await adoption.adopt()).toBe(false);
  expect(asked).toEqual(['preview_adoption d cart:{id}', 'adopt d cart:{id}']);
  expect(adoption.done?.names).toEqual(['cart']);
});

test('a namespace that the file has already can not be adopted', async () => {
  answer = () => view([]);
  const adoption = new Adoption('d', 'cart:{id}');
  await adoption.read();
  expect(adoption.ready).toBe(false);
});

test('a file that can not be written leaves the lines to be copied or tried again', async () => {
  const adoption = new Adoption('d', 'cart:{id}');
  await adoption.read();
  answer = () => {
    throw { code: 'storage', message: 'The disk is full.', remedy: '' };
  };
  expect(await adoption.adopt()).toBe(false);
  expect(adoption.trouble?.message).toBe('The disk is full.');
  expect([adoption.preview?.names, adoption.done, adoption.ready]).toEqual([['cart'], null, true]);
});
