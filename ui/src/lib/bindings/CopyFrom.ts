export type CopyFrom = { "from": "deployment", name: string } | { "from": "undo", run: string };
