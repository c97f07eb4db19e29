import { expect, test } from 'vitest';

import { isAdvice } from './advice';

test.each([
  ['shorten the time to live where they are written, or correct the strategy', true],
  ['let a Prometheus scrape them and connect that', true],
  ['Check the address, or leave the field empty to go without.', true],
  ['CONFIG SET maxmemory-policy allkeys-lru', false],
  ['cachescope scrape http://127.0.0.1:8000/metrics lists them', false],
  ['sudo apt install redis-server prometheus', false],
  ['notify-keyspace-events Emxe', false],
  ['ACL SETUSER cachescope on >CHANGE-ME ~* resetchannels', false],
])('%s: advice %s', (text, advice) => {
  expect(isAdvice(text)).toBe(advice);
});
