//! Changes of the servers that are seen by the way: restarts, settings, other versions.

use std::collections::BTreeMap;

use cachescope_model::deployment::DeploymentId;
use cachescope_model::marks::{Mark, MarkKind, MarkSource};
use cachescope_model::size;
use cachescope_model::snapshot::{NodeSnapshot, Snapshot};
use cachescope_model::time::Timestamp;

/// Servers that are compared.
const MOST_NODES: usize = 1_000;

/// How the servers were at the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    nodes: BTreeMap<String, NodeSnapshot>,
}

impl Observed {
    /// What is different from the last look. What is seen for the first time is no change.
    pub(super) fn compare(&mut self, deployment: &DeploymentId, snapshot: &Snapshot) -> Vec<Mark> {
        let mut marks = Vec::new();
        for node in &snapshot.nodes {
            let mut mark = |at: Timestamp, kind: MarkKind, text: String| {
                marks.push(Mark {
                    id: 0,
                    deployment: Some(deployment.clone()),
                    at,
                    kind,
                    text,
                    source: MarkSource::Observed,
                });
            };
            if let Some(before) = self.nodes.get(&node.node) {
                if node.uptime_seconds < before.uptime_seconds {
                    let since = i64::try_from(node.uptime_seconds).unwrap_or(i64::MAX).saturating_mul(1000);
                    let at = Timestamp(snapshot.at.millis().saturating_sub(since));
                    mark(at, MarkKind::Note, format!("restart of {}", node.node));
                }
                for (setting, old, new) in [
                    ("maxmemory", limit(before.maxmemory), limit(node.maxmemory)),
                    ("maxmemory-policy", before.maxmemory_policy.clone(), node.maxmemory_policy.clone()),
                ] {
                    if old != new {
                        mark(snapshot.at, MarkKind::Config, format!("{setting} from {old} to {new}"));
                    }
                }
                if node.role != before.role {
                    let text = format!("{} became {}", node.node, node.role);
                    mark(snapshot.at, MarkKind::Note, text);
                }
            }
            if self.nodes.len() < MOST_NODES || self.nodes.contains_key(&node.node) {
                self.nodes.insert(node.node.clone(), node.clone());
            }
        }
        marks
    }
}

/// `maxmemory` in words; 0 is none.
fn limit(bytes: u64) -> String {
    if bytes == 0 { "none".to_owned() } else { size::format(bytes as f64) }
}

#[cfg(test)]
mod tests {
    use cachescope_engine::{Engine, EngineOptions};
    use cachescope_model::strategy::Strategy;
    use cachescope_model::window::Window;

    use super::*;

    fn snapshot(uptime_seconds: u64, maxmemory: u64, policy: &str) -> Snapshot {
        let engine = Engine::new(&Strategy::default(), EngineOptions::default());
        let mut snapshot = engine.snapshot(Timestamp::from_seconds(1_000), Window::OneMinute);
        snapshot.nodes = vec![NodeSnapshot {
            node: "cache:6379".to_owned(),
            role: "master".to_owned(),
            engine: "redis 7.0.15".to_owned(),
            mode: "standalone".to_owned(),
            uptime_seconds,
            maxmemory,
            maxmemory_policy: policy.to_owned(),
        }];
        snapshot.at = Timestamp::from_seconds(1_000);
        snapshot
    }

    #[test]
    fn a_restart_and_another_setting_are_marks_at_their_time_and_the_first_look_is_none() {
        let mut observed = Observed::default();
        let id = DeploymentId("d".to_owned());
        let mut compare = |snapshot: Snapshot| {
            let marks = observed.compare(&id, &snapshot);
            marks.into_iter().map(|mark| (mark.at.millis() / 1000, mark.text)).collect::<Vec<_>>()
        };
        assert_eq!(compare(snapshot(500, 100, "allkeys-lru")), []);
        assert_eq!(compare(snapshot(505, 100, "allkeys-lru")), []);
        assert_eq!(
            compare(snapshot(4, 50, "noeviction")),
            [
                (996, "restart of cache:6379".to_owned()),
                (1_000, "maxmemory from 100 B to 50 B".to_owned()),
                (1_000, "maxmemory-policy from allkeys-lru to noeviction".to_owned()),
            ]
        );
        assert_eq!(compare(snapshot(9, 50, "noeviction")), []);
    }
}
