import { expect, test } from 'vitest';

import type { DeploymentView } from '../bindings/DeploymentView';
import { byGroup } from './groups';

const view = (id: string, group: string | null) => ({ deployment: { id, group } }) as DeploymentView;

test('deployments of a group stand together, and nothing else moves', () => {
  const views = [view('a', null), view('b', 'x'), view('c', null), view('d', 'x'), view('e', 'y')];
  expect(byGroup(views).map(({ deployment }) => deployment.id)).toEqual(['a', 'b', 'd', 'c', 'e']);
});
