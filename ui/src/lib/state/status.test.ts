import { expect, test } from 'vitest';

import type { OverviewRow } from '../bindings/OverviewRow';
import { CONNECTION, HEALTH, STEP, ofDeployment, overLimit, standing, worst } from './status';

const row = (some: Partial<OverviewRow>): OverviewRow => ({
  id: 'a',
  name: 'a',
  environment: 'production',
  state: 'live',
  detail: '',
  hit_rate: null,
  hit_rate_target: null,
  latency_p99_seconds: null,
  memory_ratio: null,
  evictions_per_second: null,
  lookups_per_second: null,
  commands_per_second: null,
  findings: 0,
  alerts: { critical: 0, warning: 0, info: 0, pending: 0, quiet: 0, failing: 0 },
  ...some,
});

test('within each family, states differ by shape and by word, not by colour alone', () => {
  for (const family of [CONNECTION, HEALTH, STEP]) {
    const states = Object.values(family);
    expect(new Set(states.map(({ shape }) => shape)).size).toBe(states.length);
    expect(new Set(states.map(({ word }) => word)).size).toBe(states.length);
  }
});

test('a live deployment below its target says so, a lost one says lost', () => {
  expect(ofDeployment(row({ hit_rate: 0.7, hit_rate_target: 0.8 })).word).toBe('below target');
  expect(ofDeployment(row({ hit_rate: 0.9, hit_rate_target: 0.8 })).word).toBe('live');
  expect(ofDeployment(row({ hit_rate: 0.7, hit_rate_target: 0.8, state: 'lost' })).word).toBe('lost');
});

test('the worst state stands for all, and one that is off on purpose does not count', () => {
  expect(worst([HEALTH.ok, HEALTH.failed, HEALTH.partial]).word).toBe('failed');
  expect(worst([HEALTH.ok, HEALTH.off]).word).toBe('ok');
  expect(worst([]).word).toBe('off');
});

test('a rate is below its target only when its whole interval is', () => {
  expect(standing({ value: 0.71, low: 0.7, high: 0.72 }, 0.8)).toBe('below');
  expect(standing({ value: 0.79, low: 0.77, high: 0.81 }, 0.8)).toBe('maybe');
  expect(standing({ value: 0.9, low: 0.89, high: 0.91 }, 0.8)).toBe('met');
  expect(standing({ value: 0.5 }, 0.8)).toBe('below');
  expect(standing({ value: null }, 0.8)).toBe(null);
  expect(standing({ value: 0.5 }, null)).toBe(null);
});

test('a reading is over its limit only with its whole interval, and an unknown one never', () => {
  const most = { kind: 'latency_p99_seconds', above: true, value: 0.01 } as const;
  const least = { kind: 'hit_rate', above: false, value: 0.8 } as const;
  expect(overLimit({ value: 0.012 }, most)).toBe(true);
  expect(overLimit({ value: 0.012, low: 0.009, high: 0.02 }, most)).toBe(false);
  expect(overLimit({ value: 0.01 }, most)).toBe(false);
  expect(overLimit({ value: 0.7, low: 0.6, high: 0.79 }, least)).toBe(true);
  expect(overLimit({ value: 0.7, low: 0.6, high: 0.81 }, least)).toBe(false);
  expect(overLimit({ value: null }, most)).toBe(false);
  expect(overLimit({ value: 1 }, undefined)).toBe(false);
});
