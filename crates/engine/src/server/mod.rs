//! The servers as INFO shows them: counters as differences, with every reset noticed.

mod exporter;
mod levels;
mod members;
mod silence;

use std::collections::BTreeMap;

use cachescope_model::observation::NodeName;
use cachescope_model::read_commands::READ_COMMANDS;
use cachescope_model::server::{CommandStat, ServerInfo};
use cachescope_model::topology::Topology;

pub(crate) use exporter::{Exporter, ExporterMetric};
pub(crate) use levels::Levels;
pub(crate) use members::{Place, named};

use crate::command_times::{self, ReadIncrease};
use crate::events::{Silence, Standing, Subscription};
use crate::sample::Counted;
use crate::window::{Count, Fold, Frame, Gauge, Range, Tally};

/// A server that has not answered for this long has left.
pub(crate) const LEFT_AFTER_MILLIS: i64 = 30_000;
/// A figure of INFO older than this is not shown as current.
pub(crate) const STALE_AFTER_MILLIS: i64 = 10_000;
/// Two INFO replies further apart say nothing about when things happened in between.
const LONGEST_INTERVAL_MILLIS: i64 = 3_600_000;
/// More nodes than a cluster of the supported size has are not kept.
const MOST_NODES: usize = 1_024;

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: NodeName,
    /// The last INFO and its time in milliseconds.
    pub(crate) last: Option<(ServerInfo, i64)>,
    /// Its own counters, and the time for which they are known.
    pub(crate) tally: Tally,
    pub(crate) subscription: Subscription,
    /// What its events and INFO replies allow to conclude about its keys.
    pub(crate) standing: Standing,
    /// Misses, evictions and expirations announced since the last INFO.
    pub(crate) since_poll: [i64; 3],
    /// Which kinds of events were due during the whole interval that is running.
    paired: [bool; 3],
    /// The larger of both counts in the last paired interval: how far INFO and events may be apart by timing.
    pub(crate) last_poll: [u64; 3],
    /// When counting began anew, and why.
    pub(crate) reset: Option<(i64, &'static str)>,
    /// What it is in the topology; `None` where it has left, or nobody tells.
    pub(crate) place: Option<Place>,
    /// Whether another name leads to the same server.
    pub(crate) twin: bool,
}

impl Node {
    fn new(name: NodeName) -> Self {
        Self {
            name,
            last: None,
            tally: Tally::default(),
            subscription: Subscription::default(),
            standing: Standing::default(),
            since_poll: [0; 3],
            paired: [false; 3],
            last_poll: [0; 3],
            reset: None,
            place: None,
            twin: false,
        }
    }

    /// Seconds of these slots for which its counters are known.
    pub(crate) fn covered_seconds(&self, range: &Range) -> f64 {
        self.tally.sum(Count::CoveredMillis, range) as f64 / 1000.0
    }

    fn answered_since(&self, since_ms: i64) -> bool {
        self.last.as_ref().is_some_and(|(_, at_ms)| *at_ms >= since_ms)
    }
}

/// All servers and their sums.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    numbers: BTreeMap<NodeName, u32>,
    nodes: Vec<Node>,
    /// Which servers there are, where that is told, and when it was told first.
    pub(crate) topology: Option<Topology>,
    arranged_ms: Option<i64>,
    /// Time for which counters of any server are known.
    covered: Tally,
    covered_to_ms: Option<i64>,
    /// Sums over the servers.
    pub(crate) tally: Tally,
    pub(crate) memory: Gauge,
    pub(crate) memory_ratio: Gauge,
    pub(crate) clients: Gauge,
    pub(crate) keys: Gauge,
    /// Counters of a redis_exporter, where nobody sends INFO.
    pub(crate) exporter: Exporter,
}

/// What an INFO reply gave away besides its figures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// What went without an event; `None` for a reply that comes out of order.
    pub(crate) silence: Option<Silence>,
    /// Lookups since the reply before, where the two can be compared.
    pub(crate) counted: Option<Counted>,
}

impl Server {
    /// The number of a node, which it keeps for ever. Beyond the bound all are one.
    pub(crate) fn number(&mut self, name: &NodeName) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        if self.nodes.len() >= MOST_NODES {
            return MOST_NODES as u32 - 1;
        }
        let number = self.nodes.len() as u32;
        self.nodes.push(Node::new(name.clone()));
        self.numbers.insert(name.clone(), number);
        number
    }

    pub(crate) fn node_mut(&mut self, number: u32) -> &mut Node {
        &mut self.nodes[number as usize]
    }

    /// The name of a node.
    pub(crate) fn name(&self, number: u32) -> NodeName {
        self.nodes[number as usize].name.clone()
    }

    /// What read commands did since the last INFO, and when that was; `None` where this one can't be compared
    /// with it. To be asked before [`observe`](Self::observe).
    pub(crate) fn reads_since(
        &self,
        number: u32,
        at_ms: i64,
        info: &ServerInfo,
    ) -> Option<(i64, Vec<ReadIncrease>)> {
        let (before, before_ms) = self.nodes[number as usize].last.as_ref()?;
        if at_ms <= *before_ms || discontinuity(before, info, at_ms - before_ms).is_some() {
            return None;
        }
        Some((*before_ms, reads(before, info)))
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Time of the newest INFO in milliseconds.
    pub(crate) fn newest_ms(&self) -> Option<i64> {
        let members = self.nodes.iter().filter(|node| self.is_member(node));
        members.filter_map(|node| node.last.as_ref().map(|(_, at_ms)| *at_ms)).max()
    }

    /// Seconds of these slots for which counters are known.
    pub(crate) fn covered_seconds(&self, range: &Range) -> f64 {
        let direct = self.known_seconds(range);
        if direct > 0.0 { direct } else { self.exporter.covered_seconds(range) }
    }

    /// The same over any interval, in milliseconds.
    pub(crate) fn covered_between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> f64 {
        let direct = self.known_between(frame, from_ms, to_ms);
        if direct > 0.0 { direct } else { self.exporter.covered_between(frame, from_ms, to_ms) }
    }

    /// Whether INFO answers, so that an exporter's view of the same server is not needed.
    pub(crate) fn is_direct(&self, now_ms: i64) -> bool {
        self.nodes.iter().any(|node| node.answered_since(now_ms - LEFT_AFTER_MILLIS))
    }

    /// Takes in an INFO reply.
    pub(crate) fn observe(&mut self, frame: &Frame, number: u32, at_ms: i64, info: &ServerInfo) -> Told {
        let mut told = Told::default();
        let twin = self.is_twin(number, &info.run_id, at_ms);
        let tally = &mut self.tally;
        let node = &mut self.nodes[number as usize];
        if std::mem::replace(&mut node.twin, twin) || twin {
            // Counted under its other name; from here on under this one, where that has just ended.
            node.last = Some((info.clone(), at_ms));
            return told;
        }
        let mut known_from = None;
        let mut silence = silence::first(info, at_ms);
        if let Some((before, before_ms)) = &node.last {
            if at_ms <= *before_ms {
                return told;
            }
            silence = silence::between(before, info, *before_ms, at_ms);
            match discontinuity(before, info, at_ms - before_ms) {
                Some(reason) => node.reset = Some((at_ms, reason)),
                None => {
                    let from = *before_ms;
                    let increases = increases(before, info);
                    for (count, increase) in increases {
                        tally.spread(count, frame, from, at_ms, increase);
                        node.tally.spread(count, frame, from, at_ms, increase);
                    }
                    let [(_, hits), (_, misses), ..] = increases;
                    told.counted = Some(Counted { from_ms: from, to_ms: at_ms, hits, misses });
                    node.tally.spread(Count::CoveredMillis, frame, from, at_ms, (at_ms - from) as u64);
                    known_from = Some(from);
                    let counts = node_counts(before, info, &node.since_poll);
                    pair(tally, frame, node.paired, counts, from, at_ms);
                    node.last_poll = counts.map(|(server, counted)| server.max(counted));
                }
            }
        }
        // What came before its time goes on counting: an own miss may be taken back after its INFO.
        node.since_poll = node.since_poll.map(|count| count.min(0));
        node.paired =
            [0, 1, 2].map(|kind| node.subscription.since(kind).is_some_and(|since_ms| since_ms <= at_ms));
        node.last = Some((info.clone(), at_ms));
        node.standing.informed(&silence);
        if let Some(from_ms) = known_from {
            self.cover(frame, from_ms, at_ms);
        }
        self.levels(frame, at_ms);
        told.silence = Some(silence);
        told
    }

    /// Whether the events of a server are heard that is known to be a primary.
    pub(crate) fn hears_a_primary(&self) -> bool {
        let known = |node: &Node| node.place.is_some() || node.last.is_some();
        self.nodes.iter().any(|node| node.subscription.up && known(node) && !node.is_replica())
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        self.tally.fold(folds);
        self.covered.fold(folds);
        for gauge in [&mut self.memory, &mut self.memory_ratio, &mut self.clients, &mut self.keys] {
            gauge.fold(folds);
        }
        self.exporter.fold(folds);
        for node in &mut self.nodes {
            node.tally.fold(folds);
            node.subscription.fold(folds);
        }
    }

    /// Time went on.
    pub(crate) fn cover_events(&mut self, frame: &Frame, now_ms: i64) {
        for node in &mut self.nodes {
            node.subscription.cover(frame, now_ms);
        }
    }
}

/// Why the counters of two replies can't be compared.
fn discontinuity(before: &ServerInfo, now: &ServerInfo, millis: i64) -> Option<&'static str> {
    let counters = |info: &ServerInfo| {
        [
            info.keyspace_hits,
            info.keyspace_misses,
            info.evicted_keys,
            info.expired_keys,
            info.commands_processed,
        ]
    };
    let back = |one: &[u64], other: &[u64]| one.iter().zip(other).any(|(before, now)| now < before);
    if before.run_id != now.run_id || now.uptime_seconds < before.uptime_seconds {
        Some("the server was restarted")
    } else if back(&counters(before), &counters(now)) {
        Some("the server's counters were reset (CONFIG RESETSTAT)")
    } else if back(&own(before), &own(now)) {
        Some("the connection to the server was made anew")
    } else if millis > LONGEST_INTERVAL_MILLIS {
        Some("the server was not asked for more than an hour")
    } else {
        None
    }
}

fn own(info: &ServerInfo) -> [u64; 3] {
    [info.own.hits, info.own.misses, info.own.commands]
}

/// Increases between two comparable replies, our own taken out.
///
/// A replica evicts and expires what its primary tells it to, and what it processes is mostly what its primary
/// sends: of its commands only reads count, of its removals none.
fn increases(before: &ServerInfo, now: &ServerInfo) -> [(Count, u64); 7] {
    let theirs = |total: fn(&ServerInfo) -> u64, ours: fn(&ServerInfo) -> u64| {
        (total(now) - total(before)).saturating_sub(ours(now) - ours(before))
    };
    let replica = now.role == "slave";
    let removed = |before: u64, now: u64| if replica { 0 } else { now - before };
    let commands = theirs(|info| info.commands_processed, |info| info.own.commands);
    let (calls, micros) = reads(before, now).iter().fold((0u64, 0u64), |(calls, micros), read| {
        (calls.saturating_add(read.calls), micros.saturating_add(read.micros))
    });
    [
        (Count::ServerHits, theirs(|info| info.keyspace_hits, |info| info.own.hits)),
        (Count::ServerMisses, theirs(|info| info.keyspace_misses, |info| info.own.misses)),
        (Count::ServerEvicted, removed(before.evicted_keys, now.evicted_keys)),
        (Count::ServerExpired, removed(before.expired_keys, now.expired_keys)),
        (Count::ServerCommands, if replica { calls } else { commands }),
        (Count::ReadCalls, calls),
        (Count::ReadMicros, micros),
    ]
}

fn find<'a>(info: &'a ServerInfo, command: &str) -> Option<&'a CommandStat> {
    info.commands.iter().find(|stat| stat.command == command)
}

/// Calls and microseconds of read commands of others; without those of which a counter went back.
fn reads(before: &ServerInfo, now: &ServerInfo) -> Vec<ReadIncrease> {
    let stats = now.commands.iter();
    stats
        .filter_map(|stat| {
            let command = command_times::place(&stat.command)?;
            let (calls, micros) = read(before, now, stat)?;
            Some(ReadIncrease { command, calls, micros })
        })
        .collect()
}

/// Calls and microseconds of one command. Of our own GETs the number is known and not how long they took: they
/// take their share of the time of all.
fn read(before: &ServerInfo, now: &ServerInfo, stat: &CommandStat) -> Option<(u64, u64)> {
    let (calls_before, micros_before) =
        find(before, &stat.command).map_or((0, 0), |earlier| (earlier.calls, earlier.microseconds));
    let calls = stat.calls.checked_sub(calls_before)?;
    let micros = stat.microseconds.checked_sub(micros_before)?;
    let ours = if stat.command == "get" { now.own.gets.saturating_sub(before.own.gets) } else { 0 };
    let others = calls.saturating_sub(ours);
    let share = u128::from(micros) * u128::from(others) / u128::from(calls.max(1));
    Some((others, u64::try_from(share).unwrap_or(micros)))
}

/// Whether a command, in lower case, is one of the reads that execution times are about.
pub(crate) fn is_read(command: &str) -> bool {
    READ_COMMANDS.contains(&command)
}

/// Server's and announced counts of the same interval: misses, evictions, expirations.
fn node_counts(before: &ServerInfo, now: &ServerInfo, announced: &[i64; 3]) -> [(u64, u64); 3] {
    let increases = increases(before, now);
    let announced = announced.map(|count| count.max(0) as u64);
    [(increases[1].1, announced[0]), (increases[2].1, announced[1]), (increases[3].1, announced[2])]
}

/// The server's and the announced counts of misses, evictions and expirations in common intervals.
pub(crate) const PAIRS: [(Count, Count); 3] = [
    (Count::PairedServerMisses, Count::PairedMisses),
    (Count::PairedServerEvicted, Count::PairedEvicted),
    (Count::PairedServerExpired, Count::PairedExpired),
];

fn pair(tally: &mut Tally, frame: &Frame, due: [bool; 3], counts: [(u64, u64); 3], from_ms: i64, to_ms: i64) {
    for kind in (0..3).filter(|kind| due[*kind]) {
        tally.spread(PAIRS[kind].0, frame, from_ms, to_ms, counts[kind].0);
        tally.spread(PAIRS[kind].1, frame, from_ms, to_ms, counts[kind].1);
    }
}
