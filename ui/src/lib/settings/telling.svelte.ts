import type { DesktopTelling } from '../bindings/DesktopTelling';
import type { QuietHours } from '../bindings/QuietHours';
import type { TellingView } from '../bindings/TellingView';
import type { WireError } from '../bindings/WireError';
import { request } from '../host/host';
import { asWireError } from '../host/wire-error';

/** How people are told. A change holds at once; one that fails is taken back on the screen and said. */
export class Telling {
  view = $state.raw<TellingView | null>(null);
  trouble = $state.raw<WireError | null>(null);
  #changing = 0;

  async read(): Promise<void> {
    if (this.#changing > 0) return; // the answer would be older than what is on the screen
    try {
      const view = await request({ request: 'telling' });
      if (this.#changing > 0) return;
      this.view = view;
      this.trouble = null;
    } catch (error) {
      this.trouble = asWireError(error);
    }
  }

  async setDesktop(desktop: DesktopTelling): Promise<void> {
    await this.#change({ desktop }, () => request({ request: 'set_desktop_telling', desktop }));
  }

  async setQuietHours(quiet_hours: QuietHours): Promise<void> {
    await this.#change({ quiet_hours }, () => request({ request: 'set_quiet_hours', quiet_hours }));
  }

  async #change(part: Partial<TellingView>, ask: () => Promise<unknown>): Promise<void> {
    const before = this.view;
    if (!before) return;
    this.view = { ...before, ...part };
    this.#changing += 1;
    let failure: WireError | null = null;
    try {
      await ask();
    } catch (error) {
      failure = asWireError(error);
    }
    this.#changing -= 1;
    await this.read();
    if (failure) this.trouble = failure;
  }
}
