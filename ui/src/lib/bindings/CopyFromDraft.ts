import type { DeploymentId } from "./DeploymentId";
export type CopyFromDraft = { "from": "deployment", deployment: DeploymentId } | { "from": "named", name: string } | { "from": "undo", run: string };
