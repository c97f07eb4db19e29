import { expect, test } from 'vitest';

import { draftOfEndpoints, endpointsInWords } from './endpoints';

const view = {
  application_url: 'https://app.example',
  has_application_token: true,
  application_private: false,
  cdn_url: '',
  cdn_method: '',
  cdn_body: '',
  has_cdn_token: false,
  cdn_private: false,
};

test('a form of what is kept holds no token and leaves the kept one alone', () => {
  const draft = draftOfEndpoints(view);
  expect(draft.application_url).toBe('https://app.example');
  expect(draft.application_token).toBeNull();
});

test('what is set is said in a few words', () => {
  expect(endpointsInWords(view)).toBe('application with a token, no CDN');
  expect(endpointsInWords({ ...view, has_application_token: false, cdn_url: 'https://c' })).toBe(
    'application without a token, CDN without a token',
  );
});
