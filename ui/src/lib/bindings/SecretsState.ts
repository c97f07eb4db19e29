export type SecretsState = { "state": "keychain" } | { "state": "session_only", reason: string };
