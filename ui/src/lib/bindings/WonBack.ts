export type WonBack = { namespace: string, hit_rate: number | null, hit_rate_after: number | null, misses_per_second: number };
