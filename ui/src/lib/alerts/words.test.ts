import { expect, test } from 'vitest';

import { alertView, counts, triage } from './example';
import {
  againstThreshold,
  countsInWords,
  distance,
  isLoud,
  loudCount,
  SEVERITY,
  sentenceOf,
  showAny,
  splitHead,
  standsFor,
  STANDING,
  statusOf,
  sumOf,
  titleOf,
  unbroken,
  worstOf,
} from './words';

const MINUTE = 60_000;

test('severities and standings differ by shape and by word, not by colour alone', () => {
  const all = [...Object.values(SEVERITY), ...Object.values(STANDING)];
  expect(new Set(all.map(({ shape }) => shape)).size).toBe(all.length);
  expect(new Set(all.map(({ word }) => word)).size).toBe(all.length);
});

test('an alert that somebody looks after is quiet, and says why', () => {
  expect(statusOf(alertView()).word).toBe('critical');
  const acknowledged = alertView({
    acknowledged: { alert: alertView().alert_ref, fired_at: 0, at: 0, comment: '' },
  });
  expect(statusOf(acknowledged).word).toBe('acknowledged');
  expect(isLoud(acknowledged)).toBe(false);
  const silenced = alertView({
    silenced_by: { id: 1, matchers: [], starts_at: 0, ends_at: 1, comment: 'x' },
  });
  expect(statusOf(silenced).word).toBe('silenced');
  expect(statusOf(alertView({}, { state: 'pending' })).word).toBe('pending');
  expect(isLoud(alertView({}, { state: 'pending' }))).toBe(false);
});

test('counts are told in words, the worst first, and nothing is told as nothing', () => {
  expect(countsInWords(counts({ critical: 1, warning: 2, failing: 1 }))).toBe(
    '1 critical, 2 warnings, 1 rule can’t be judged',
  );
  expect(countsInWords(counts({}))).toBe('none firing');
  expect(loudCount(counts({ critical: 1, warning: 2, info: 1, quiet: 5, pending: 9 }))).toBe(4);
  expect(sumOf([counts({ critical: 1, quiet: 1 }), counts({ critical: 2 })])).toEqual(
    counts({ critical: 3, quiet: 1 }),
  );
});

test('the worst of some counts stands for all', () => {
  expect(worstOf(counts({ warning: 1, critical: 1, quiet: 3 })).word).toBe('critical');
  expect(worstOf(counts({ warning: 1, pending: 3 })).word).toBe('warning');
  expect(worstOf(counts({ pending: 3, quiet: 1 })).word).toBe('acknowledged');
  expect(worstOf(counts({})).word).toBe('none firing');
});

test('a title keeps abbreviations and names its subject once', () => {
  expect(titleOf(alertView())).toBe('Sessions: hit rate below its target');
  expect(titleOf(alertView({ summary: 'GET latency above 10 ms' }))).toBe(
    'Sessions: GET latency above 10 ms',
  );
  expect(titleOf(alertView({ subject: '' }))).toBe('Hit rate below its target');
});

test('the sentence is the core’s; without triage it is put together from what is known', () => {
  expect(sentenceOf(alertView({ triage: triage({ sentence: 'All of it.' }) }), 0)).toBe('All of it.');
  const plain = alertView({}, { active_at: 0, value: 0.713 });
  expect(sentenceOf(plain, 6 * MINUTE).replaceAll('\u00a0', ' ')).toBe(
    'Sessions: hit rate below its target: 71.3 % for 6 min, target 95.0 %.',
  );
  expect(sentenceOf(alertView({}, { value: null, state: 'resolved' }), 0)).toBe(
    'Sessions: hit rate below its target.',
  );
});

test('a sentence’s head ends at its first full stop, not at a decimal', () => {
  expect(splitHead('Hit rate 71.3 % for 6 min, target 95 % (96.2 % before). 84 % are evicted.')).toEqual({
    head: 'Hit rate 71.3 % for 6 min, target 95 % (96.2 % before).',
    rest: '84 % are evicted.',
  });
  expect(splitHead('One sentence only.')).toEqual({ head: 'One sentence only.', rest: '' });
});

test('how it stands counts from when the threshold was passed, or from when it was over', () => {
  const plain = ({ word, since }: { word: string; since: string }) =>
    `${word} ${since}`.replaceAll('\u00a0', ' ');
  expect(plain(standsFor(alertView({}, { active_at: 0, fired_at: MINUTE }), 6 * MINUTE))).toBe(
    'critical for 6 min',
  );
  expect(plain(standsFor(alertView({}, { state: 'pending', active_at: 0 }), 40_000))).toBe(
    'pending for 40 s',
  );
  expect(plain(standsFor(alertView({}, { state: 'resolved', resolved_at: 0 }), 2 * MINUTE))).toBe(
    'resolved 2 min ago',
  );
});

test('a value stands beside its threshold, and one of an unknown unit as a plain number', () => {
  const plain = (text: string) => text.replaceAll('\u00a0', ' ');
  expect(plain(againstThreshold(alertView()))).toBe('71.3 % · target 95 %');
  expect(plain(againstThreshold(alertView({ above: true })))).toBe('71.3 % · limit 95 %');
  expect(plain(againstThreshold(alertView({ threshold: null })))).toBe('71.3 %');
  expect(showAny(null, 1840)).toBe('1,840');
  expect(showAny(null, 0.28412)).toBe('0.284');
  expect(showAny('ratio', null)).toBe('–');
});

test('a distance says on which side it lies', () => {
  const plain = (text: string) => text.replaceAll('\u00a0', ' ');
  expect(plain(distance(0, 11_000))).toBe('11 s before');
  expect(plain(distance(11_000, 0))).toBe('11 s after');
  expect(distance(400, 0)).toBe('at the same second');
});

test('a figure is not parted from its unit, but from the next word', () => {
  expect(unbroken('97 % for 6 min, 3.1 GB, 412 /s and 12 shards').replaceAll('\u00a0', '_')).toBe(
    '97_% for 6_min, 3.1_GB, 412_/s and 12 shards',
  );
});
