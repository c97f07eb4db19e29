// Which of the slow commands are shown, and how.
import type { SlowCommand } from '../bindings/SlowCommand';
import { show } from '../format/numbers';

/** The command with its first key, as one would type it. */
export function words({ command, key }: Pick<SlowCommand, 'command' | 'key'>): string {
  return [command.toUpperCase(), key].filter(Boolean).join(' ');
}

/** How long it ran, with its unit. */
export function took({ micros }: Pick<SlowCommand, 'micros'>): string {
  return show('seconds', micros / 1e6);
}

/** From how many servers they come. */
export function servers(commands: readonly Pick<SlowCommand, 'node'>[]): number {
  return new Set(commands.map(({ node }) => node)).size;
}
