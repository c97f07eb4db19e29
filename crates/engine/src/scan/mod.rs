//! What scans found: keys, bytes and times to live by namespace.

mod estimate;
mod shards;
mod ttl;

use cachescope_model::scan::{ScanMode, ScannedKey, Ttl};
use hashbrown::{HashMap, HashSet};

pub(crate) use estimate::{Interval, Moments, share, student_t};
pub(crate) use shards::Chosen;
pub(crate) use ttl::TtlSketch;

/// Keys remembered to recognise repeats. SCAN may repeat a key while the server resizes a table; in a larger
/// keyspace repeats among the keys after these are counted twice.
const REMEMBERED_KEYS: usize = 500_000;
/// A time to live longer than documented by more than this factor is a finding; less is jitter.
const TTL_TOLERANCE: f64 = 1.1;

/// Sums over the keys of one namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weighed {
    pub(crate) keys: u64,
    pub(crate) memory: Moments,
    /// Keys asked for their time to live.
    pub(crate) asked: u64,
    pub(crate) without_ttl: u64,
    /// Keys that live longer than documented.
    pub(crate) beyond_ttl: u64,
    pub(crate) ttls: TtlSketch,
}

impl Weighed {
    fn add(&mut self, key: &ScannedKey, longest_ttl_seconds: Option<f64>) {
        self.keys += 1;
        if let Some(bytes) = key.memory {
            self.memory.add(bytes as f64);
        }
        match key.ttl {
            None => {}
            Some(Ttl::None) => {
                self.asked += 1;
                self.without_ttl += 1;
            }
            Some(Ttl::Millis(millis)) => {
                self.asked += 1;
                self.ttls.add(millis);
                let limit = longest_ttl_seconds.map(|seconds| seconds * 1000.0 * TTL_TOLERANCE);
                self.beyond_ttl += u64::from(limit.is_some_and(|limit| millis as f64 > limit));
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.keys += other.keys;
        self.memory.merge(&other.memory);
        self.asked += other.asked;
        self.without_ttl += other.without_ttl;
        self.beyond_ttl += other.beyond_ttl;
        self.ttls.merge(&other.ttls);
    }
}

/// The last complete scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Complete {
    pub(crate) at_ms: i64,
    pub(crate) sampled: bool,
}

/// A scan that runs.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    scan: u64,
    node: u32,
    mode: ScanMode,
    seen: HashSet<u64>,
    pub(crate) rows: HashMap<u32, Weighed>,
}

/// Scans by the node on which they run, and what the last complete ones found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scans {
    running: Vec<Running>,
    /// What the last complete scan of each node found, by row.
    last: HashMap<u32, HashMap<u32, Weighed>>,
    /// When those ended, and whether they were samples.
    ended: HashMap<u32, (i64, bool)>,
    /// Which of them are put together.
    used: Vec<u32>,
    /// Primaries whose keys are not among them; empty where all are.
    pub(crate) without: String,
    pub(crate) complete: Option<Complete>,
}

impl Scans {
    /// A scan begins; one that ran on the same node before it is abandoned.
    pub(crate) fn started(&mut self, node: u32, scan: u64, mode: ScanMode) {
        self.running.retain(|running| running.node != node && running.scan != scan);
        if self.running.len() < 1_024 {
            self.running.push(Running { scan, node, mode, seen: HashSet::new(), rows: HashMap::new() });
        }
    }

    /// Whether a chunk belongs to a scan that runs.
    pub(crate) fn running(&mut self, node: u32, scan: u64) -> Option<&mut Running> {
        self.running.iter_mut().find(|running| running.node == node && running.scan == scan)
    }

    /// Takes out the scan that ended.
    pub(crate) fn finished(&mut self, node: u32, scan: u64) -> Option<Running> {
        let place = self.running.iter().position(|running| running.node == node && running.scan == scan)?;
        Some(self.running.swap_remove(place))
    }

    /// Keeps what a complete scan found in place of what the one before it on the same node did.
    pub(crate) fn replace(&mut self, node: u32, at_ms: i64, ended: Running) {
        self.ended.insert(node, (at_ms, ended.sampled()));
        self.last.insert(node, ended.rows);
    }

    /// When the last complete scan of a node ended.
    pub(crate) fn ended_ms(&self, node: u32) -> Option<i64> {
        self.ended.get(&node).map(|(at_ms, _)| *at_ms)
    }

    /// Puts these scans together from now on. Returns whether any of them is another than before.
    pub(crate) fn choose(&mut self, chosen: Chosen) -> bool {
        let sampled =
            chosen.nodes.iter().any(|node| self.ended.get(node).is_some_and(|(_, sampled)| *sampled));
        let before = self.complete.map(|complete| complete.at_ms);
        self.complete = Some(Complete { at_ms: chosen.at_ms, sampled });
        self.without = chosen.without;
        let others = before != Some(chosen.at_ms) || self.used != chosen.nodes;
        self.used = chosen.nodes;
        others
    }

    /// What the last complete scans found, by row and node.
    pub(crate) fn found(&self) -> impl Iterator<Item = (&u32, &Weighed)> {
        self.used.iter().filter_map(|node| self.last.get(node)).flatten()
    }

    /// Whether one runs now.
    pub(crate) fn is_running(&self) -> bool {
        !self.running.is_empty()
    }
}

impl Running {
    /// Whether this key was met before in this scan.
    pub(crate) fn is_repeat(&mut self, hash: u64) -> bool {
        if self.seen.len() >= REMEMBERED_KEYS {
            return self.seen.contains(&hash);
        }
        !self.seen.insert(hash)
    }

    pub(crate) fn add(&mut self, row: u32, key: &ScannedKey, longest_ttl_seconds: Option<f64>) {
        self.rows.entry(row).or_default().add(key, longest_ttl_seconds);
    }

    fn sampled(&self) -> bool {
        matches!(self.mode, ScanMode::Sampled { .. })
    }
}
