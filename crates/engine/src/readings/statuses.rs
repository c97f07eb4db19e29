//! How the sources are doing: of several servers one sentence, with the number and the names of those that fail.

use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_model::topology::Topology;

use crate::engine::Engine;
use crate::server::named;

/// Different sentences that are passed on; what further servers say is counted alone.
const MOST_SENTENCES: usize = 3;

impl Engine {
    /// One state a source.
    pub(super) fn sources(&self) -> Vec<SourceStatus> {
        SourceId::ALL.iter().filter_map(|spec| self.source(spec.id)).collect()
    }

    /// How one source is doing, over all servers on which it runs.
    pub(super) fn source(&self, source: SourceId) -> Option<SourceStatus> {
        let reads_redis = !matches!(source, SourceId::Metrics | SourceId::Prometheus);
        let here = |node: u32| !reads_redis || self.server.is_member(&self.server.nodes()[node as usize]);
        let states = self.states.iter().filter(|((of, node), _)| *of == source && here(*node));
        let states: Vec<_> =
            states.map(|((_, node), state)| (&*self.server.nodes()[*node as usize].name, state)).collect();
        let status = summary(&states);
        match &self.server.topology {
            // What the topology lacks belongs to INFO, which every server is asked for.
            Some(topology) if source == SourceId::Info => match status {
                Some(status) => Some(with_remark(status, topology)),
                None => self.nowhere(source, topology),
            },
            _ => status,
        }
    }

    /// No server is known on which it could run.
    fn nowhere(&self, source: SourceId, topology: &Topology) -> Option<SourceStatus> {
        let nowhere = topology.nodes.is_empty() && !topology.remark.is_empty();
        nowhere.then(|| SourceStatus {
            source,
            health: SourceHealth::Failed,
            since: cachescope_model::time::Timestamp(self.now_ms),
            detail: topology.remark.clone(),
            remedy: topology.remedy.clone(),
        })
    }
}

fn with_remark(mut status: SourceStatus, topology: &Topology) -> SourceStatus {
    if !topology.remark.is_empty() && severity(status.health) <= severity(SourceHealth::Partial) {
        status.health = SourceHealth::Partial;
        status.detail = joined(topology.remark.clone(), &status.detail);
        if !topology.remedy.is_empty() {
            status.remedy.clone_from(&topology.remedy);
        }
    }
    status
}

/// One state of several servers'.
fn summary(states: &[(&str, &SourceStatus)]) -> Option<SourceStatus> {
    let worst = states.iter().max_by_key(|(_, state)| severity(state.health)).map(|(_, state)| *state)?;
    if states.len() == 1 {
        return Some(worst.clone());
    }
    let bad: Vec<_> = states.iter().copied().filter(|(_, state)| is_bad(state.health)).collect();
    let works = states.iter().find(|(_, state)| state.health == SourceHealth::Ok);
    if bad.is_empty() {
        return works.map_or_else(|| Some(worst.clone()), |(_, state)| Some((*state).clone()));
    }
    let some_work = bad.len() < states.len() || bad.iter().any(|(_, it)| it.health == SourceHealth::Partial);
    let health = if some_work { SourceHealth::Partial } else { worst.health };
    let since = bad.iter().map(|(_, state)| state.since).min().unwrap_or(worst.since);
    let detail = format!("{} of {} nodes: {}", bad.len(), states.len(), sentences(&bad));
    Some(SourceStatus { source: worst.source, health, since, detail, remedy: worst.remedy.clone() })
}

/// What the servers say, those that say the same but for their name together.
fn sentences(bad: &[(&str, &SourceStatus)]) -> String {
    let mut groups: Vec<(String, Vec<(&str, &SourceStatus)>)> = Vec::new();
    for (name, state) in bad {
        let said = state.detail.replace(name, "");
        match groups.iter_mut().find(|(known, _)| *known == said) {
            Some((_, group)) => group.push((*name, *state)),
            None => groups.push((said, vec![(*name, *state)])),
        }
    }
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.len()));
    let mut words = String::new();
    for (_, group) in groups.iter().take(MOST_SENTENCES) {
        let [(first, state), others @ ..] = group.as_slice() else { continue };
        let mut said = match state.detail.as_str() {
            "" => format!("{first} fails"),
            detail if detail.contains(first) => detail.to_owned(),
            detail => format!("{first}: {detail}"),
        };
        if !others.is_empty() {
            let names: Vec<&str> = others.iter().map(|(name, _)| *name).collect();
            said = format!("{said}; likewise {}", named(&names));
        }
        words = joined(words, &said);
    }
    let left: usize = groups.iter().skip(MOST_SENTENCES).map(|(_, group)| group.len()).sum();
    if left > 0 { joined(words, &format!("and {left} more")) } else { words }
}

fn joined(one: String, other: &str) -> String {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other.to_owned(),
        (false, true) => one,
        (false, false) => format!("{one}; {other}"),
    }
}

fn is_bad(health: SourceHealth) -> bool {
    severity(health) >= severity(SourceHealth::Partial)
}

pub(super) fn severity(health: SourceHealth) -> u8 {
    match health {
        SourceHealth::Ok => 0,
        SourceHealth::Off => 1,
        SourceHealth::Starting => 2,
        SourceHealth::Partial => 3,
        SourceHealth::Unavailable => 4,
        SourceHealth::Failed => 5,
    }
}

#[cfg(test)]
mod tests {
    use cachescope_model::time::Timestamp;

    use super::*;

    #[test]
    fn the_states_of_several_servers_are_one_sentence_with_number_and_names() {
        use SourceHealth as H;
        let refused = |name: &str| format!("{name} refused the connection");
        for (states, health, detail) in [
            (vec![("a", H::Ok, String::new())], H::Ok, ""),
            (vec![("a", H::Failed, refused("a"))], H::Failed, "a refused the connection"),
            (vec![("a", H::Ok, String::new()), ("b", H::Starting, String::new())], H::Ok, ""),
            (vec![("a", H::Starting, String::new()), ("b", H::Starting, String::new())], H::Starting, ""),
            (
                vec![("a", H::Ok, String::new()), ("b", H::Failed, refused("b"))],
                H::Partial,
                "1 of 2 nodes: b refused the connection",
            ),
            (
                vec![
                    ("a", H::Failed, refused("a")),
                    ("b", H::Failed, refused("b")),
                    ("c", H::Failed, "it does not answer".to_owned()),
                ],
                H::Failed,
                "3 of 3 nodes: a refused the connection; likewise b; c: it does not answer",
            ),
        ] {
            let status = |health, detail: &String| SourceStatus {
                source: SourceId::Info,
                health,
                since: Timestamp(0),
                detail: detail.clone(),
                remedy: String::new(),
            };
            let owned: Vec<_> =
                states.iter().map(|(name, health, detail)| (*name, status(*health, detail))).collect();
            let states: Vec<_> = owned.iter().map(|(name, state)| (*name, state)).collect();
            let told = summary(&states).expect("there are states");
            assert_eq!((told.health, told.detail.as_str()), (health, detail));
        }
        assert_eq!(summary(&[]), None);
    }
}
