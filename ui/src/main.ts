import '@fontsource-variable/inter/wght.css';
import '@fontsource-variable/jetbrains-mono/wght.css';
import 'uplot/dist/uPlot.min.css';
import './app.css';

import { mount } from 'svelte';

import App from './App.svelte';
import { useTransport } from './lib/host/host';
import { theme } from './lib/state/theme.svelte';

// Invented figures to develop the page without a desktop shell. The condition is a constant in a build, so
// nothing of it is left there (tests/bundle.test.ts).
if (import.meta.env.MODE === 'fixture') {
  const { fixture } = await import('./lib/host/fixture');
  useTransport(fixture(new URLSearchParams(location.search)));
}

theme.start();

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no element with the id "app"');
mount(App, { target });
