import { expect, test } from 'vitest';

import type { DeploymentView } from '../bindings/DeploymentView';
import { behind, draftOf, emptyDraft, hasAddress, linesOf, notTakenAlong, sshText, toSend } from './draft';

const view: DeploymentView = {
  deployment: {
    id: 'd1',
    name: 'prod',
    environment: null,
    redis_url: 'redis://viewer@cache:6379',
    prometheus_url: null,
    metrics_urls: ['http://app:9100/metrics'],
    strategy: 'crm',
    group: 'Payments',
    colour: 'teal',
    tls: { ca: '/etc/ca.pem', cert: null, key: null },
    ssh: { host: 'bastion', port: 2222, user: 'ann', key: '~/.ssh/key' },
    ssh_http: true,
  },
  has_redis_password: true,
  has_ssh_secret: true,
  has_prometheus_secret: false,
  demo: false,
  sources_on: ['info'],
};

test('a pasted address goes to the field it belongs to', () => {
  expect(emptyDraft('http://prom:9090')).toMatchObject({ prometheus_url: 'http://prom:9090', redis_url: '' });
  expect(emptyDraft('rediss://cache:6380')).toMatchObject({
    redis_url: 'rediss://cache:6380',
    prometheus_url: '',
  });
  expect(emptyDraft('cache:6379')).toMatchObject({ redis_url: 'cache:6379' });
});

test('the form of a kept deployment never holds a secret, and sending it unchanged keeps the known one', () => {
  const draft = draftOf(view);
  expect(draft).toMatchObject({ id: 'd1', redis_password: null, prometheus_token: null, strategy: 'crm' });
  expect(draft).toMatchObject({ ca_file: '/etc/ca.pem', cert_file: '', key_file: '' });
  expect(draft).toMatchObject({ group: 'Payments', colour: 'teal' });
  expect(draft).toMatchObject({
    ssh: 'ann@bastion:2222',
    ssh_key_file: '~/.ssh/key',
    ssh_secret: null,
    ssh_http: true,
  });
  expect(toSend({ ...draft, redis_password: '' }).redis_password).toBe(null);
  expect(toSend({ ...draft, redis_password: ' s p ' }).redis_password).toBe(' s p ');
});

test('an SSH server is shown as it is typed', () => {
  const hop = { host: 'bastion', port: null, user: null, key: null };
  expect(sshText(hop)).toBe('bastion');
  expect(sshText({ ...hop, user: 'ann' })).toBe('ann@bastion');
  expect(sshText({ ...hop, host: '::1', port: 22 })).toBe('[::1]:22');
  expect(toSend({ ...emptyDraft(), ssh: ' bastion ', ssh_secret: ' s ' })).toMatchObject({
    ssh: 'bastion',
    ssh_secret: ' s ',
  });
});

test('a kept secret is of what stands behind one SSH server, and the form says so where that changes', () => {
  expect(behind(' redis://a ', '')).toBe('redis://a');
  expect(behind('', 'bastion')).toBe('');
  const before = behind('redis://a', 'bastion');
  expect(notTakenAlong('password', true, before, behind('redis://a', ' bastion '))).toBe('');
  for (const now of [behind('redis://a', ''), behind('redis://a', 'other')]) {
    expect(notTakenAlong('password', true, before, now)).toContain('redis://a behind bastion');
  }
});

test('what is sent is trimmed, passwords excepted', () => {
  expect(toSend({ ...emptyDraft(' redis://a '), name: ' x ' })).toMatchObject({
    redis_url: 'redis://a',
    name: 'x',
  });
});

test('metrics pages are taken one a line', () => {
  expect(linesOf(' http://a/metrics\n\nhttp://b/metrics ,http://c\n')).toEqual([
    'http://a/metrics',
    'http://b/metrics',
    'http://c',
  ]);
});

test('a form without any address can not be tested', () => {
  expect(hasAddress(emptyDraft())).toBe(false);
  expect(hasAddress({ ...emptyDraft(), metrics_urls: ['http://a'] })).toBe(true);
});

test('a kept secret is said not to be taken along to another address', () => {
  const said = (has: boolean, before: string | null, now: string) =>
    notTakenAlong('password', has, before, now);
  expect(said(true, 'redis://a', 'redis://b')).toContain('for redis://a.');
  expect(said(true, 'redis://a', ' redis://a ')).toBe('');
  expect(said(true, 'redis://a', '')).toBe('');
  expect(said(false, 'redis://a', 'redis://b')).toBe('');
  expect(said(true, null, 'redis://b')).toBe('');
});
