import { expect, test } from 'vitest';

import type { ConnectionStep } from '../bindings/ConnectionStep';
import { rowsOf } from './report';

const step = (title: string, result: ConnectionStep['result'], detail: string): ConnectionStep => ({
  title,
  result,
  detail,
  remedy: '',
});

test('what was not tried for one reason is one row, and everything else is a row of its own', () => {
  const rows = rowsOf([
    step('Open the SSH tunnel', 'failed', 'refused'),
    step('DNS', 'skipped', 'no tunnel'),
    step('TCP', 'skipped', 'no tunnel'),
    step('Topology', 'skipped', 'not connected'),
    step('Prometheus', 'skipped', 'no tunnel'),
    step('A', 'ok', 'same'),
    step('B', 'ok', 'same'),
  ]);
  expect(rows.map(({ title }) => title)).toEqual([
    'Open the SSH tunnel',
    'DNS, TCP',
    'Topology',
    'Prometheus',
    'A',
    'B',
  ]);
});
