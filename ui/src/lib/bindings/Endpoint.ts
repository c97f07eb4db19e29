import type { SecretHeader } from "./SecretHeader";
export type Endpoint = { method: string, url: string, headers: { [key in string]: string }, body: string, secret: SecretHeader | null, private_addresses: boolean };
