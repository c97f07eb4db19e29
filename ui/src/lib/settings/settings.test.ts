import { expect, test } from 'vitest';

import type { ChannelView } from '../bindings/ChannelView';
import { channelStatus, deliveries, draftOf, missingOf, toSend } from './channels';
import { clockTime, daysInWords, minuteOf, quietSentence } from './quiet';

const channel: ChannelView = {
  channel: {
    id: 'k',
    name: 'On call',
    kind: 'slack',
    on: true,
    least: 'critical',
    resolved: false,
    shown: 'https://hooks.slack.example',
  },
  has_token: true,
  delivered_at: null,
  trouble: '',
  waiting: 0,
  given_up: 0,
};

test('a kept channel’s secrets are neither shown nor sent back unless they are typed anew', () => {
  const draft = draftOf(channel);
  expect(draft).toMatchObject({ id: 'k', name: 'On call', least: 'critical', url: null, token: null });
  expect(toSend(draft)).toMatchObject({ url: null, token: null });
  expect(toSend({ ...draft, url: '  ', token: '' })).toMatchObject({ url: null, token: null });
  expect(toSend({ ...draft, token: ' ' }, true)).toMatchObject({ url: null, token: '' });
  expect(toSend({ ...draft, url: ' http://h ', token: 't' })).toMatchObject({ url: 'http://h', token: 't' });
});

test('a new channel needs a name and an address, a kept one its name', () => {
  expect(missingOf(draftOf(null))).not.toBe('');
  expect(missingOf({ ...draftOf(null), name: 'x' })).not.toBe('');
  expect(missingOf({ ...draftOf(null), name: 'x', url: 'http://h' })).toBe('');
  expect(missingOf(draftOf(channel))).toBe('');
});

test('a channel says how its last delivery went', () => {
  expect(channelStatus(channel).word).toBe('nothing sent yet');
  expect(channelStatus({ ...channel, delivered_at: 1 }).word).toBe('works');
  expect(channelStatus({ ...channel, delivered_at: 1, trouble: 'Refused.' }).word).toBe('failing');
  expect(channelStatus({ ...channel, trouble: 'x', channel: { ...channel.channel, on: false } }).word).toBe(
    'off',
  );
  expect(deliveries({ ...channel, trouble: 'Refused.', waiting: 1, given_up: 2 }, 0)).toBe(
    'Refused. 1 waits. 2 were given up.',
  );
});

test.each<[string, number | null]>([
  ['22:00', 1320],
  ['7:05', 425],
  ['24:00', null],
  ['07:60', null],
  ['ten', null],
])('%s is minute %s of the day', (text, minute) => {
  expect(minuteOf(text)).toBe(minute);
  if (minute !== null) expect(minuteOf(clockTime(minute))).toBe(minute);
});

test('runs of days are joined', () => {
  expect(daysInWords([0, 1, 2, 3, 4])).toBe('Mon to Fri');
  expect(daysInWords([6, 0, 5])).toBe('Mon, Sat, Sun');
  expect(daysInWords([0, 1, 2, 3, 4, 5, 6])).toBe('every day');
  expect(daysInWords([])).toBe('on no day');
});

test('quiet hours over midnight say so, and whether critical alerts wait', () => {
  const hours = {
    on: true,
    from_minute: 1320,
    to_minute: 420,
    days: [0, 1, 2, 3, 4, 5, 6],
    except_critical: true,
  };
  expect(quietSentence(hours)).toBe(
    'Notifications wait from 22:00 to 07:00 of the next day, every day. Critical alerts are told all the same.',
  );
  expect(quietSentence({ ...hours, from_minute: 60, except_critical: false })).toBe(
    'Notifications wait from 01:00 to 07:00, every day. Even critical alerts wait until then.',
  );
  expect(quietSentence({ ...hours, on: false })).toBe('You are told at any hour.');
});
