import { defineConfig } from 'vitest/config';

// The page in the webview that the desktop program uses. `cargo xtask test --only page-webview` brings the display that
// this wants; `--mode measure` measures instead of testing.
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'measure' ? ['webview/**/*.measure.ts'] : ['webview/**/*.test.ts'],
    globalSetup: ['webview/setup.ts'],
    fileParallelism: false, // one window at a time: several would starve each other
    testTimeout: 120_000,
    hookTimeout: 120_000,
    retry: mode === 'measure' ? 0 : 1, // a machine that stands still for a while; the summary names what was tried again
  },
}));
