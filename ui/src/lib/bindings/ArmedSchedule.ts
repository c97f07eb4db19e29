import type { MissedRuns } from "./MissedRuns";
import type { ScheduledRun } from "./ScheduledRun";
import type { Timestamp } from "./Timestamp";
export type ArmedSchedule = { by: string, since: Timestamp, missed: MissedRuns, missed_runs: number, last: ScheduledRun | null };
