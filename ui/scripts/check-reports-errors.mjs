// Proves that the type check can fail: it has been seen to pass on everything when a version of TypeScript
// that it can't drive was installed.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const fixture = fileURLToPath(new URL('../fixtures/type-error', import.meta.url));
const svelteCheck = fileURLToPath(new URL('../node_modules/svelte-check/bin/svelte-check', import.meta.url));
const { status, stdout, stderr } = spawnSync(
  process.execPath,
  [svelteCheck, '--tsconfig', './tsconfig.json', '--output', 'machine'],
  { cwd: fixture, encoding: 'utf8' },
);
const reported = /ERROR .*Broken\.svelte.*is not assignable to type 'number'/.test(stdout);
if (status === 0 || !reported) {
  console.error(
    `svelte-check did not report the deliberate error in fixtures/type-error:\n${stdout}${stderr}`,
  );
  process.exit(1);
}
console.log('svelte-check reports the deliberate type error in fixtures/type-error, as it must.');
