import { expect, test } from 'vitest';

import type { AlertTurn } from '../bindings/AlertTurn';
import type { Mark } from '../bindings/Mark';
import type { TimelineEntry } from '../bindings/TimelineEntry';
import { alertView } from '../alerts/example';
import { chartEvents } from './events';
import { drawn, itemsOf } from './items';
import { labelOf, place, ticks } from './layout';

const turn = (
  at: number,
  what: AlertTurn,
  rule = 'R',
  severity: 'critical' | 'warning' = 'warning',
): TimelineEntry => ({
  at,
  deployment: 'a',
  kind: 'alert',
  alert_ref: { deployment: 'a', rule, labels: {} },
  turn: what,
  severity,
  summary: `${rule} fires`,
  subject: '',
  value: null,
  unit: null,
});
const mark = (at: number, text: string): TimelineEntry => {
  const kept: Mark = { id: at, deployment: 'a', at, kind: 'deploy', text, source: 'command' };
  return { at, deployment: 'a', kind: 'mark', mark: kept };
};

test('an alert is one span from its first turn to its last, whatever the order of the entries', () => {
  const items = itemsOf([turn(30, 'resolved'), turn(20, 'firing'), turn(10, 'pending')], 0);
  expect(items).toMatchObject([{ kind: 'alert', from: 10, to: 30, fired: true }]);
});

test('the same alert twice is two spans, and one that goes on has no end', () => {
  const items = itemsOf([turn(50, 'pending'), turn(30, 'resolved'), turn(20, 'firing')], 0);
  expect(items).toMatchObject([
    { from: 20, to: 30, fired: true },
    { from: 50, to: null, fired: false },
  ]);
});

test('an end without a beginning began before what is shown', () => {
  expect(itemsOf([turn(30, 'resolved')], 5)).toMatchObject([{ from: 5, to: 30, fired: true }]);
});

test('a threshold that was passed for a moment is in the table, not on the line', () => {
  const items = itemsOf([turn(20, 'cleared'), turn(10, 'pending'), mark(15, '4f21c8')], 0);
  expect(items).toHaveLength(2);
  expect(drawn(items).map(({ kind }) => kind)).toEqual(['mark']);
});

test('what begins at one place is one item, told by its weightiest', () => {
  const items = itemsOf(
    [turn(100, 'firing', 'Mild'), turn(101, 'firing', 'Severe', 'critical'), mark(500, 'x')],
    0,
  );
  const placed = place(items, 0, 1_000, 1_000);
  expect(placed).toHaveLength(2);
  expect(placed[0]).toMatchObject({ x: 100, first: { title: 'Severe fires' } });
  expect(placed[0] && labelOf(placed[0])).toBe('2 alerts: Severe fires');
});

test('no label lies on another or beyond the line, and the weightiest gets its own', () => {
  const entries = Array.from({ length: 40 }, (_, n) =>
    turn(n * 25 + 3, 'firing', `Rule${n}`, n === 39 ? 'critical' : 'warning'),
  );
  const placed = place(itemsOf(entries, 0), 0, 1_000, 1_000);
  const labels = placed.flatMap(({ label }) => (label ? [label] : []));
  expect(labels.length).toBeGreaterThan(4);
  for (const one of labels) {
    expect(one.x).toBeGreaterThanOrEqual(0);
    expect(one.x + one.width).toBeLessThanOrEqual(1_000);
    for (const other of labels)
      if (one !== other && one.row === other.row)
        expect(one.x + one.width < other.x || other.x + other.width < one.x).toBe(true);
  }
  expect(placed.at(-1)?.label).not.toBe(null);
});

test('spans that overlap lie in different lanes as long as there are some', () => {
  const items = itemsOf([turn(100, 'firing', 'A'), turn(200, 'firing', 'B'), turn(300, 'firing', 'C')], 0);
  expect(place(items, 0, 1_000, 1_000).map(({ lane }) => lane)).toEqual([0, 1, 2]);
});

test('ticks stand at round local times', () => {
  const from = new Date(2026, 10, 27, 13, 8).getTime();
  const found = ticks(from, from + 3_600_000, 600).map((at) => new Date(at).getMinutes());
  expect(found).toEqual([10, 20, 30, 40, 50, 0]);
});

test('charts show marks, and the alerts about exactly their namespace, those of one moment once', () => {
  const mine = alertView({ namespace: 'n' }, { fired_at: 10_000 });
  const too = alertView({ namespace: 'n' }, { fired_at: 10_400, rule: 'Other' });
  const other = alertView({ namespace: null }, { fired_at: 20_000 });
  const pending = alertView({ namespace: 'n' }, { fired_at: null });
  const events = (namespace: string | null) =>
    chartEvents([mark(5, '4f21c8')], [mine, too, other, pending], namespace).map(
      ({ at, name }) => `${at} ${name}`,
    );
  expect(events('n')).toEqual(['5 deploy 4f21c8', '10000 alert']);
  expect(events(null)).toEqual(['5 deploy 4f21c8', '20000 alert']);
});
