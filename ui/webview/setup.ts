// Builds the page with its invented figures, serves it, and starts the program that drives the webview.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build, preview, type PreviewServer } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    page: string;
    driver: string;
  }
}

const root = fileURLToPath(new URL('..', import.meta.url));

let outDir: string | undefined;
let server: PreviewServer | undefined;
let driver: ChildProcess | undefined;

export async function setup(project: TestProject): Promise<void> {
  if (process.platform === 'linux' && !process.env['DISPLAY'])
    throw new Error('there is no display: run `cargo xtask test --only page-webview`, which brings one');
  outDir = await mkdtemp(join(tmpdir(), 'cachescope-page-'));
  const common = { root, configFile: join(root, 'vite.config.ts'), logLevel: 'error' } as const;
  await build({ ...common, mode: 'fixture', build: { outDir, emptyOutDir: true } });
  server = await preview({ ...common, build: { outDir }, preview: { port: 0, host: '127.0.0.1' } });
  const page = server.resolvedUrls?.local[0];
  if (page === undefined) throw new Error('the page is served nowhere');

  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  driver = spawn('WebKitWebDriver', ['--host=127.0.0.1', `--port=${port}`], {
    env: { ...process.env, NO_PROXY: '*', LANG: 'C.UTF-8', NO_AT_BRIDGE: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const failed = new Promise<never>((_, reject) =>
    driver?.once('error', (error) =>
      reject(
        new Error('WebKitWebDriver could not be started: `cargo xtask setup` installs it', { cause: error }),
      ),
    ),
  );
  await Promise.race([failed, listens(address)]);
  project.provide('page', page);
  project.provide('driver', address);
}

export async function teardown(): Promise<void> {
  driver?.kill('SIGKILL');
  await server?.close();
  if (outDir !== undefined) await rm(outDir, { recursive: true, force: true });
}

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const probe = createServer().once('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === 'object' && address ? found(address.port) : failed(new Error('no port')),
      );
    });
  });
}

async function listens(address: string): Promise<void> {
  const end = Date.now() + 60_000;
  for (;;) {
    try {
      await fetch(`${address}/status`);
      return;
    } catch (error) {
      if (Date.now() > end) throw new Error(`nothing listens on ${address}`, { cause: error });
      await new Promise((later) => setTimeout(later, 50));
    }
  }
}
