// Builds the page with its invented figures and serves it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build, preview, type PreviewServer } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    page: string;
  }
}

const root = fileURLToPath(new URL('..', import.meta.url));

let outDir: string | undefined;
let server: PreviewServer | undefined;

export async function setup(project: TestProject): Promise<void> {
  if (process.platform === 'linux' && !process.env['DISPLAY'])
    throw new Error('there is no display: run `cargo xtask test --only page-webview`, which brings one');
  outDir = await mkdtemp(join(tmpdir(), 'cachescope-page-'));
  const common = { root, configFile: join(root, 'vite.config.ts'), logLevel: 'error' } as const;
  await build({ ...common, mode: 'fixture', build: { outDir, emptyOutDir: true } });
  server = await preview({ ...common, build: { outDir }, preview: { port: 0, host: '127.0.0.1' } });
  const page = server.resolvedUrls?.local[0];
  if (page === undefined) throw new Error('the page is served nowhere');
  project.provide('page', page);
}

export async function teardown(): Promise<void> {
  // A browser whose driver ended stays until its display goes, and its connections with it.
  if (server && 'closeAllConnections' in server.httpServer) server.httpServer.closeAllConnections();
  await server?.close();
  if (outDir !== undefined) await rm(outDir, { recursive: true, force: true });
}
