export type SecretHeader = { header: string, prefix: string, name: string };
