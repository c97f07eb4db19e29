// A window of the webview, spoken to by WebDriver.
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { inject } from 'vitest';

import { startDriver, type Driver } from './driver';

const artifacts = fileURLToPath(new URL('../../artifacts/page/', import.meta.url));

/** WebDriver's code points of keys that have no letter. */
const KEYS: Record<string, string> = {
  Control: '\ue009',
  Shift: '\ue008',
  Enter: '\ue007',
  Escape: '\ue00c',
  Tab: '\ue004',
  ArrowDown: '\ue015',
  ArrowUp: '\ue013',
  ArrowLeft: '\ue012',
  ArrowRight: '\ue014',
};

export class Window {
  #driver: Driver;
  #session: string;

  private constructor(driver: Driver, session: string) {
    this.#driver = driver;
    this.#session = session;
  }

  /** Where the program that drives it listens. */
  get driver(): string {
    return this.#driver.address;
  }

  /** Opens one, of the browser that comes with the webview. */
  static async open(): Promise<Window> {
    const driver = await startDriver();
    try {
      const answer = (await call('POST', `${driver.address}/session`, {
        capabilities: { alwaysMatch: {} },
      })) as { sessionId: string };
      return new Window(driver, `${driver.address}/session/${answer.sessionId}`);
    } catch (error) {
      driver.stop();
      throw error;
    }
  }

  /** This one, or a new one where there is none yet or a test lost it: no test fails by what befell another. */
  static async thatAnswers(window: Window | undefined): Promise<Window> {
    if (window === undefined) return Window.open();
    try {
      await call('GET', `${window.#session}/url`, undefined, 10_000);
      return window;
    } catch (error) {
      process.stderr.write(`the window is lost, another one is opened: ${String(error)}\n`);
      await window.close();
      return Window.open();
    }
  }

  /** Closes it; one that is lost is only left. */
  async close(): Promise<void> {
    await call('DELETE', this.#session, undefined, 10_000).catch(() => undefined);
    this.#driver.stop();
  }

  /** Shows the page with the figures of a scene, in a theme, as after a fresh start. */
  async show(scene: string, theme: 'dark' | 'light', more = ''): Promise<void> {
    const address = `${inject('page')}?scene=${scene}${more}`;
    // The storage belongs to the page: it has to be there before its theme can be chosen.
    await this.#post('url', { url: `${inject('page')}icon.svg` });
    await this.run(`localStorage.clear(); localStorage.setItem('cachescope.theme', '${theme}')`);
    await this.#post('url', { url: address });
    await this.waitFor('body[data-ready="true"]');
  }

  /** Makes the page this large, in the middle of the screen: there the pointer rests, and the focus is where it is. */
  async resize(width: number, height: number): Promise<void> {
    await this.#place(width, height);
    // The window has a frame: correct it by what the page got.
    const [gotWidth, gotHeight] = await this.run<[number, number]>('return [innerWidth, innerHeight]');
    await this.#place(2 * width - gotWidth, 2 * height - gotHeight);
    await this.until('the window has the focus', 'return document.hasFocus()');
  }

  async #place(width: number, height: number): Promise<void> {
    const [x, y] = await this.run<[number, number]>('return [screen.width / 2, screen.height / 2]');
    await this.#post('window/rect', {
      x: Math.round(x - width / 2),
      y: Math.round(y - height / 2),
      width,
      height,
    });
  }

  /** Runs a function's body in the page. */
  async run<T>(body: string, args: unknown[] = []): Promise<T> {
    return (await this.#post('execute/sync', { script: body, args })) as T;
  }

  /** The same, of what ends by calling its last argument. */
  async runAsync<T>(body: string, args: unknown[] = []): Promise<T> {
    return (await this.#post('execute/async', { script: body, args })) as T;
  }

  /** Presses keys one after the other: a letter, a name, or `Control+k`. */
  async press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      const chord = (key === '+' ? ['+'] : key.split('+')).map((part) => KEYS[part] ?? part);
      const actions = [
        ...chord.map((value) => ({ type: 'keyDown', value })),
        ...chord.toReversed().map((value) => ({ type: 'keyUp', value })),
      ];
      await this.#post('actions', { actions: [{ type: 'key', id: 'keys', actions }] });
    }
  }

  async type(text: string): Promise<void> {
    await this.press(...text);
  }

  /** Gives a file to a field for one, as the system's chooser would. */
  async giveFile(selector: string, path: string): Promise<void> {
    await this.waitFor(selector);
    const using = { using: 'css selector', value: selector };
    const [element] = Object.values((await this.#post('element', using)) as Record<string, string>);
    await this.#post(`element/${element}/value`, { text: path });
  }

  /** Waits until something is there. */
  async waitFor(selector: string): Promise<void> {
    await this.until(`there is ${selector}`, 'return document.querySelector(arguments[0]) !== null', [
      selector,
    ]);
  }

  /** Waits until a function of the page says yes. */
  async until(what: string, body: string, args: unknown[] = []): Promise<void> {
    const end = Date.now() + 60_000;
    while (!(await this.run<boolean>(body, args))) {
      if (Date.now() > end) throw new Error(`waited a minute in vain until ${what}`);
      await new Promise((later) => setTimeout(later, 50));
    }
  }

  /** Keeps a picture for people to look at. */
  async picture(name: string): Promise<void> {
    const image = (await call('GET', `${this.#session}/screenshot`)) as string;
    await mkdir(artifacts, { recursive: true });
    await writeFile(`${artifacts}${name}.png`, Buffer.from(image, 'base64'));
  }

  #post(command: string, body: object): Promise<unknown> {
    return call('POST', `${this.#session}/${command}`, body);
  }
}

async function call(method: string, address: string, body?: object, patience = 90_000): Promise<unknown> {
  const answer = await fetch(address, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    signal: AbortSignal.timeout(patience),
  });
  const { value } = (await answer.json()) as { value: unknown };
  if (!answer.ok) throw new Error(`${method} ${new URL(address).pathname}: ${JSON.stringify(value)}`);
  return value;
}
