import type { CopyFromDraft } from "./CopyFromDraft";
import type { WarmKeys } from "./WarmKeys";
import type { WarmLimits } from "./WarmLimits";
export type WarmDraft = { plan: string | null, namespace: string | null, tenant: string | null, keys: WarmKeys, parameters: { [key in string]: string }, base_url: string | null, url: string | null, method: string | null, headers: { [key in string]: string }, body: string, secret: string | null, private_addresses: boolean, copy_from: CopyFromDraft | null, jitter_percent: number, limits: WarmLimits | null, refresh: boolean, soften_seconds: number | null };
