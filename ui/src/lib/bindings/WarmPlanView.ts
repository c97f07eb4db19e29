import type { ScheduleView } from "./ScheduleView";
export type WarmPlanView = { name: string, title: string, way: string, items: Array<string>, triggers: Array<string>, runnable: boolean, lacks: string, note: string, schedule: ScheduleView | null };
