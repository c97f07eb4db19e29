import { expect, test } from 'vitest';

import { visible } from './names';

test.each([
  ['session:{id}', 'session:{id}'],
  ['جلسات:{معرف}', 'جلسات:{معرف}'],
  ['👩‍👩‍👧‍👦:{id} ❤️‍🔥', '👩‍👩‍👧‍👦:{id} ❤️‍🔥'],
  ['\u202eevil:{id}', '\\u202eevil:{id}'],
  ['two\nlines\tand\u0007', 'two\\nlines\\tand\\u0007'],
  ['a\u200bb\u200dc\ufeff', 'a\\u200bb\\u200dc\\ufeff'],
])('%j is shown as %j', (name, shown) => {
  expect(visible(name)).toBe(shown);
});
