//! Which servers belong to the deployment now, and how long each was not heard.
//!
//! What is summed over which servers: lookups, hits and misses over all, because replicas serve reads of their
//! own; evictions, expirations and levels such as memory and keys over primaries alone, because replicas only
//! repeat them. Servers with the same `run_id` are one server under two names and count once.

use cachescope_model::topology::{NodeRole, Topology};

use super::{Node, Server};
use crate::window::{Count, Frame, Range};

/// A server that answered within this time may be what another name leads to as well.
const TWIN_WITHIN_MILLIS: i64 = 5_000;

/// One of several servers may be silent this long within a window, such as when it is restarted, before its share
/// is an assumption.
const TOLERATED_SILENCE: f64 = 3.0;

/// What a server is in the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Servers with the same number hold the same keys.
    pub(crate) shard: u32,
    pub(crate) role: NodeRole,
    /// Whether the others call it failed: it serves nobody.
    pub(crate) failed: bool,
    /// Whether it can't be reached from here, or is called failed.
    pub(crate) down: bool,
    /// Whether its shard has no slot: its keys are another shard's now.
    pub(crate) slotless: bool,
    /// Since when it is there, or there again.
    pub(crate) since_ms: i64,
}

impl Node {
    /// Whether it repeats what a primary does.
    pub(crate) fn is_replica(&self) -> bool {
        match (&self.last, self.place) {
            (Some((info, _)), _) if !info.role.is_empty() => info.role == "slave",
            (_, Some(place)) => place.role == NodeRole::Replica,
            _ => false,
        }
    }

    /// Whether it is a server at all, and not an endpoint of metrics.
    pub(crate) fn may_be_heard(&self) -> bool {
        self.place.is_some() || self.subscription.began
    }

    /// Since when it has been one of the deployment's; from the beginning where nobody tells.
    pub(crate) fn since_ms(&self) -> i64 {
        self.place.map_or(i64::MIN, |place| place.since_ms)
    }
}

impl Server {
    /// Other servers than before.
    pub(crate) fn arrange(&mut self, at_ms: i64, topology: &Topology) {
        let places: Vec<_> = topology.nodes.iter().map(|node| (self.number(&node.node), node)).collect();
        let mut before: Vec<_> = self.nodes.iter_mut().map(|node| node.place.take()).collect();
        for (number, told) in places {
            let known = before.get_mut(number as usize).and_then(Option::take);
            // One that comes back was not missed while it was gone.
            let since_ms = match known {
                Some(known) if !known.failed || told.failed => known.since_ms,
                _ => at_ms,
            };
            let down = told.failed || told.unreachable;
            self.nodes[number as usize].place = Some(Place {
                shard: told.shard,
                role: told.role,
                failed: told.failed,
                down,
                slotless: told.slotless,
                since_ms,
            });
        }
        self.arranged_ms.get_or_insert(at_ms);
        self.topology = Some(topology.clone());
    }

    /// Whether a server belongs to the deployment; every one does where nobody tells.
    pub(crate) fn is_member(&self, node: &Node) -> bool {
        self.topology.is_none() || node.place.is_some()
    }

    /// The servers of the deployment that may serve, each once.
    pub(crate) fn serving(&self) -> impl Iterator<Item = &Node> {
        let failed = |node: &Node| node.place.is_some_and(|place| place.failed);
        self.nodes.iter().filter(move |node| self.is_member(node) && !failed(node) && !node.twin)
    }

    /// The same where evictions and expirations are theirs and not repeated.
    pub(crate) fn serving_kind(&self, kind: usize) -> impl Iterator<Item = &Node> {
        self.serving().filter(move |node| kind == 0 || !node.is_replica())
    }

    /// Seconds of these slots for which counters are known: those of any server, less what the others lag behind.
    ///
    /// Servers answer at different moments: the sum over all is that of a time which ends, and begins, between
    /// their answers. One that is silent for longer does not shorten it, see [`unheard`](Self::unheard).
    pub(super) fn known_seconds(&self, range: &Range) -> f64 {
        let union = self.covered.sum(Count::CoveredMillis, range) as f64 / 1000.0;
        let gaps = self.serving().filter(|node| node.last.is_some()).map(|node| self.gap(node, union, range));
        union - mean(gaps.filter(|gap| *gap <= TOLERATED_SILENCE))
    }

    /// The same over any interval, in milliseconds.
    pub(super) fn known_between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> f64 {
        let union = self.covered.between(Count::CoveredMillis, frame, from_ms, to_ms);
        let tolerated = (TOLERATED_SILENCE * 1000.0).min((to_ms - from_ms) as f64 / 2.0);
        let gaps = self.serving().filter(|node| node.last.is_some()).map(|node| {
            let joined = to_ms.saturating_sub(node.since_ms()).max(0) as f64;
            (union.min(joined) - node.tally.between(Count::CoveredMillis, frame, from_ms, to_ms)).max(0.0)
        });
        union - mean(gaps.filter(|gap| *gap <= tolerated))
    }

    /// For how many of the `known` seconds of these slots a server's own counters are not.
    fn gap(&self, node: &Node, known: f64, range: &Range) -> f64 {
        let end_ms = self.covered_to_ms.unwrap_or(0);
        let joined = end_ms.saturating_sub(node.since_ms()).max(0) as f64 / 1000.0;
        (known.min(joined) - node.covered_seconds(range)).max(0.0)
    }

    /// Servers that were silent for longer than others answer apart, with the seconds, the longest first.
    pub(crate) fn unheard(&self, range: &Range) -> Vec<(&Node, f64)> {
        if self.topology.is_none() {
            return Vec::new();
        }
        let union = self.covered.sum(Count::CoveredMillis, range) as f64 / 1000.0;
        let gaps = self.serving().map(|node| (node, self.gap(node, union, range)));
        let mut unheard: Vec<_> = gaps.filter(|(_, seconds)| *seconds > TOLERATED_SILENCE).collect();
        unheard.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        unheard
    }

    /// Whether an answer comes from a server that is known under another name already.
    pub(super) fn is_twin(&self, number: u32, run_id: &str, at_ms: i64) -> bool {
        let same = |node: &Node| node.last.as_ref().is_some_and(|(info, _)| info.run_id == run_id);
        !run_id.is_empty()
            && self.nodes.iter().enumerate().any(|(place, node)| {
                place != number as usize
                    && !node.twin
                    && node.answered_since(at_ms - TWIN_WITHIN_MILLIS)
                    && same(node)
            })
    }

    /// Counters are known for this interval of one server: the sum's time goes on.
    pub(super) fn cover(&mut self, frame: &Frame, from_ms: i64, to_ms: i64) {
        let from_ms = self.covered_to_ms.map_or(from_ms, |covered| covered.max(from_ms));
        if to_ms > from_ms {
            let millis = (to_ms - from_ms) as u64;
            self.covered.spread(Count::CoveredMillis, frame, from_ms, to_ms, millis);
            self.covered_to_ms = Some(to_ms);
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

/// Some names for a sentence: `a`, `a and b`, `a, b and 3 more`.
pub(crate) fn named(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [one, other, rest @ ..] => format!("{one}, {other} and {} more", rest.len()),
    }
}
