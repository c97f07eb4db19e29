export type Success = { statuses: Array<number>, exists: boolean, ttl_ms: number | null, ttl_percent: number, refresh_below_ms: number };
