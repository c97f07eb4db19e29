import { store, stored } from './stored';

const CHOICES = ['system', 'dark', 'light'] as const;
export type ThemeChoice = (typeof CHOICES)[number];

const KEY = 'cachescope.theme';

/** Dark or light: the system's, unless chosen. */
class Theme {
  choice = $state<ThemeChoice>(stored(KEY, CHOICES, 'system'));
  /** What is shown. Charts paint with its colours and repaint when it changes. */
  shown = $state<'dark' | 'light'>('dark');
  #system = matchMedia('(prefers-color-scheme: light)');

  start(): void {
    this.#system.addEventListener('change', () => this.#apply());
    this.#apply();
  }

  choose(choice: ThemeChoice): void {
    this.choice = choice;
    store(KEY, choice);
    this.#apply();
  }

  /** The next choice in the round system, dark, light. */
  next(): void {
    this.choose(CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length] ?? 'system');
  }

  #apply(): void {
    this.shown = this.choice === 'system' ? (this.#system.matches ? 'light' : 'dark') : this.choice;
    document.documentElement.dataset['theme'] = this.shown;
  }
}

export const theme = new Theme();
