import { expect, test } from 'vitest';

import type { PartSnapshot } from '../bindings/PartSnapshot';
import { layersOf } from '../host/fixture/layers';
import { measured, unmeasured } from './layers';

test('a layer is measured where something is counted, and the others are told by their reason', () => {
  const layers: PartSnapshot[] = layersOf();
  expect(measured(layers).map(({ name }) => name)).toEqual(['memory', 'redis']);
  expect(unmeasured(layers)).toEqual([
    {
      titles: 'Browser, CDN',
      why: 'the application’s metrics do not count it: name its label in the strategy (metric_label)',
    },
  ]);
  expect(unmeasured(measured(layers))).toEqual([]);
});
