export type MissedRuns = "skip" | "run_once";
