// The program that drives the webview: one for each window, so that one that stops takes nothing else with it.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

export interface Driver {
  address: string;
  stop: () => void;
}

export async function startDriver(): Promise<Driver> {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const driver = spawn('WebKitWebDriver', ['--host=127.0.0.1', `--port=${port}`], {
    env: { ...process.env, NO_PROXY: '*', LANG: 'C.UTF-8', NO_AT_BRIDGE: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const stop = (): void => void driver.kill('SIGKILL');
  const failed = new Promise<never>((_, reject) =>
    driver.once('error', (error) =>
      reject(
        new Error('WebKitWebDriver could not be started: `cargo xtask setup` installs it', { cause: error }),
      ),
    ),
  );
  try {
    await Promise.race([failed, listens(address)]);
  } catch (error) {
    stop();
    throw error;
  }
  return { address, stop };
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
