import type { ArmedSchedule } from "./ArmedSchedule";
import type { Timestamp } from "./Timestamp";
export type ScheduleView = { cron: string, next_runs: Array<Timestamp>, crontab: string, armed: ArmedSchedule | null };
