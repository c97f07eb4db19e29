import type { Timestamp } from "./Timestamp";
export type ScheduleView = { cron: string, next_runs: Array<Timestamp>, crontab: string };
