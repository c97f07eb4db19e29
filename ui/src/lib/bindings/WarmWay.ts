import type { CopyFrom } from "./CopyFrom";
import type { Endpoint } from "./Endpoint";
import type { Scope } from "./Scope";
export type WarmWay = { "way": "request", endpoint: Endpoint, keys: Array<string>, database: number } | { "way": "request_each", endpoint: Endpoint, template: string, keys: Array<string>, database: number } | { "way": "copy", from: CopyFrom, scope: Scope | null, jitter_percent: number };
