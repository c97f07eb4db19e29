import type { InstanceFrame } from '../bindings/InstanceFrame';

const MODE: Record<string, string> = { standalone: 'Standalone', sentinel: 'Sentinel', cluster: 'Cluster' };

/** What is watched, in a few words: "Cluster, 6 nodes, redis 7.2.4". Without a server, where the figures come from. */
export function serverText(frame: InstanceFrame | null): string {
  if (!frame) return '';
  const first = frame.nodes[0];
  if (!first) return frame.sources.some(({ source }) => source === 'info') ? '' : 'Metrics only';
  const engines = new Set(frame.nodes.map(({ engine }) => engine));
  const parts = [
    MODE[first.mode] ?? first.mode,
    frame.node_count === 1 ? first.node : `${frame.node_count} nodes`,
    engines.size === 1 ? first.engine : `${engines.size} versions`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}
