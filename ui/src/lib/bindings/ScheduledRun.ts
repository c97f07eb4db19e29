import type { Timestamp } from "./Timestamp";
export type ScheduledRun = { at: Timestamp, run: string, said: string };
