import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [svelte()],
  // The shell finds the page at a fixed address while developing; another one would show an empty window.
  server: { port: 5173, strictPort: true, host: '127.0.0.1' },
  clearScreen: false,
  build: {
    target: 'safari16.4', // the oldest WebKitGTK (2.40) that Tauri 2 meets on supported distributions
    assetsInlineLimit: 0, // the content security policy allows no data: fonts
    chunkSizeWarningLimit: 300,
  },
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    testTimeout: 60_000,
    server: { deps: { inline: ['uplot'] } },
  },
});
