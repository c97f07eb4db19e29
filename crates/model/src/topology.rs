//! Which servers a deployment consists of, as they tell of each other.

use std::fmt;

use crate::observation::NodeName;

/// How the servers of a deployment belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TopologyKind {
    /// One server, or a primary with its replicas that nobody fails over.
    #[default]
    Standalone,
    /// A primary and its replicas, failed over by Sentinels.
    Sentinel,
    /// A Redis Cluster.
    Cluster,
}

/// What a server is within its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeRole {
    /// It takes the writes.
    Primary,
    /// It copies a primary.
    Replica,
}

/// One server of a topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyNode {
    /// Its name, as observations carry it.
    pub node: NodeName,
    /// What it is there.
    pub role: NodeRole,
    /// Servers with the same number hold the same keys: a primary and its replicas.
    pub shard: u32,
    /// Whether the others call it failed: it serves nobody.
    pub failed: bool,
    /// Whether it can't be reached from here.
    pub unreachable: bool,
    /// Whether no slot of a Cluster is its shard's: whatever keys it still holds are another shard's now, such as
    /// those of a primary that has just been replaced.
    pub slotless: bool,
}

impl TopologyNode {
    /// Whether nothing can be asked of it now.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.failed || self.unreachable
    }
}

/// The servers of a deployment at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// How they belong together.
    pub kind: TopologyKind,
    /// Every server that is watched.
    pub nodes: Vec<TopologyNode>,
    /// Servers beyond the bound, which are not watched.
    pub left_out: usize,
    /// What about it keeps figures from being complete, one sentence; empty where nothing does.
    pub remark: String,
    /// What to do about that; empty where nothing helps.
    pub remedy: String,
}

impl Topology {
    /// The node of this name.
    #[must_use]
    pub fn find(&self, node: &str) -> Option<&TopologyNode> {
        self.nodes.iter().find(|found| &*found.node == node)
    }

    /// How many nodes have this role.
    #[must_use]
    pub fn count(&self, role: NodeRole) -> usize {
        self.nodes.iter().filter(|node| node.role == role).count()
    }
}

/// In words: `Cluster of 3 primaries and 3 replicas`.
impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (primaries, replicas) = (self.count(NodeRole::Primary), self.count(NodeRole::Replica));
        let some = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        let primaries_said = some(primaries, "primary", "primaries");
        let replicas_said = some(replicas, "replica", "replicas");
        match (self.kind, primaries, replicas) {
            (TopologyKind::Standalone, 1, 0) => f.write_str("Standalone server"),
            (TopologyKind::Standalone, 0, 1) => f.write_str("Replica without its primary"),
            (TopologyKind::Standalone, 1, _) => write!(f, "Primary with {replicas_said}"),
            (TopologyKind::Standalone, _, 0) => write!(f, "{primaries} standalone servers"),
            (TopologyKind::Standalone, ..) => write!(f, "{primaries_said} and {replicas_said}"),
            (TopologyKind::Sentinel, _, 0) => write!(f, "Sentinel group of {primaries_said}"),
            (TopologyKind::Sentinel, ..) => {
                write!(f, "Sentinel group of {primaries_said} and {replicas_said}")
            }
            (TopologyKind::Cluster, _, 0) => write!(f, "Cluster of {primaries_said}"),
            (TopologyKind::Cluster, ..) => write!(f, "Cluster of {primaries_said} and {replicas_said}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topology_is_said_in_words() {
        use TopologyKind as K;
        for (kind, primaries, replicas, words) in [
            (K::Standalone, 1, 0, "Standalone server"),
            (K::Standalone, 1, 1, "Primary with 1 replica"),
            (K::Standalone, 0, 1, "Replica without its primary"),
            (K::Standalone, 2, 0, "2 standalone servers"),
            (K::Sentinel, 1, 2, "Sentinel group of 1 primary and 2 replicas"),
            (K::Cluster, 3, 3, "Cluster of 3 primaries and 3 replicas"),
            (K::Cluster, 1, 0, "Cluster of 1 primary"),
        ] {
            let node = |role| TopologyNode {
                node: "n".into(),
                role,
                shard: 0,
                failed: false,
                unreachable: false,
                slotless: false,
            };
            let mut nodes = vec![node(NodeRole::Primary); primaries];
            nodes.extend(vec![node(NodeRole::Replica); replicas]);
            assert_eq!(Topology { kind, nodes, ..Topology::default() }.to_string(), words);
        }
    }
}
