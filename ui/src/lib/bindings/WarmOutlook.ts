import type { WonBack } from "./WonBack";
export type WarmOutlook = { due: number, there: number, requests: number, least_seconds: number, bytes: number, won_back: Array<WonBack> };
