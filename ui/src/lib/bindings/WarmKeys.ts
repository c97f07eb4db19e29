export type WarmKeys = { "which": "missed" } | { "which": "run", run: string } | { "which": "expiring", within_seconds: number } | { "which": "named", keys: Array<string> };
