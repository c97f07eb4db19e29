import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

import svelteConfig from './svelte.config.js';

const onlyTheHost = {
  patterns: [
    {
      group: ['@tauri-apps/*'],
      message: 'Only src/lib/host may know the desktop shell: ask through its request and watch.',
    },
  ],
};

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'src/lib/bindings/', 'fixtures/type-error/'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  prettier,
  ...svelte.configs.prettier,
  { languageOptions: { globals: { ...globals.browser } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
  },
  {
    files: ['scripts/**', 'tests/**', 'webview/**', '*.config.*'],
    languageOptions: { globals: { ...globals.node } },
  },
  {
    rules: {
      'no-console': 'error', // the webview's console is seen by nobody: show the error
      'no-undef': 'off', // TypeScript does it, and knows the types
      'no-restricted-imports': ['error', onlyTheHost],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  { files: ['src/lib/host/**'], rules: { 'no-restricted-imports': 'off' } },
  { files: ['scripts/**'], rules: { 'no-console': 'off' } }, // their result is what they print
);
