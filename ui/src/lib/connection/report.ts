// A connection test's steps as rows.
import type { ConnectionStep } from '../bindings/ConnectionStep';

/** Steps that were not tried for the same reason, one after the other, are one row: none of them says more. */
export function rowsOf(steps: readonly ConnectionStep[]): ConnectionStep[] {
  const rows: ConnectionStep[] = [];
  for (const step of steps) {
    const last = rows.at(-1);
    const together =
      last?.result === 'skipped' &&
      step.result === 'skipped' &&
      last.detail === step.detail &&
      step.remedy === '';
    if (last && together) rows[rows.length - 1] = { ...last, title: `${last.title}, ${step.title}` };
    else rows.push(step);
  }
  return rows;
}
