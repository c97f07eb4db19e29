import { expect, test } from 'vitest';

import { alertView, triage } from './example';
import { chartSecondsOf, eventsOf, markInChart } from './chart';
import { scaleOf } from './scale';

test('everything that is known lies within the scale, and in its order', () => {
  const scale = scaleOf(
    alertView({ triage: triage({ before: 0.962 }) }, { value: 0.713, low: 0.706, high: 0.72 }),
  );
  const places = [scale?.interval?.from, scale?.value, scale?.interval?.to, scale?.threshold, scale?.before];
  expect(places.every((place) => place != null && place >= 0 && place <= 1)).toBe(true);
  expect([...places].sort((one, other) => (one ?? 0) - (other ?? 0))).toEqual(places);
  expect(scale?.trouble).toEqual({ from: 0, to: scale?.threshold });
});

test('the trouble of a limit lies above it', () => {
  const scale = scaleOf(alertView({ above: true, threshold: 0.9 }, { value: 0.97 }));
  expect(scale?.trouble?.to).toBe(1);
  expect(scale?.value).toBeGreaterThan(scale?.trouble?.from ?? 1);
});

test('without a value there is no scale, and a lone zero has a place', () => {
  expect(scaleOf(alertView({}, { value: null }))).toBe(null);
  expect(scaleOf(alertView({ threshold: null, unit: 'count' }, { value: 0 }))?.value).toBeGreaterThanOrEqual(
    0,
  );
});

test('a chart shows the onset with as much again before it, as far as there is history', () => {
  const began = (minutes: number) => chartSecondsOf(alertView({}, { active_at: 0 }), minutes * 60_000);
  expect(began(6)).toBe(900);
  expect(began(20)).toBe(3_600);
  expect(began(60 * 40)).toBe(86_400);
});

test('a chart names what is short, and only the kind of what is long', () => {
  const mark = {
    id: 1,
    deployment: null,
    at: 5,
    kind: 'deploy' as const,
    text: '4f21c8',
    source: 'window' as const,
  };
  expect(markInChart(mark).name).toBe('deploy 4f21c8');
  expect(markInChart({ ...mark, kind: 'purge', text: 'product:*, 40,112 keys' }).name).toBe('purge');
  const events = eventsOf(
    alertView({ triage: triage({ near: [{ ...mark, at: 9_000 }] }) }, { fired_at: 2_000 }),
  );
  expect(events.map(({ name }) => name)).toEqual(['fired', 'deploy 4f21c8']);
});
