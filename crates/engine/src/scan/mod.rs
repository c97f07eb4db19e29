//! What scans found: keys, bytes, times to live and kinds of keys by namespace.
//!
//! [`part`] sums up and puts together, [`past`] keeps what earlier scans found, [`estimate`] says how sure that is, [`observe`] takes chunks in,
//! [`precision`] says when a precise scan has met enough.

mod contents;
mod estimate;
mod observe;
mod part;
mod past;
mod precision;
mod recent;
mod shards;
mod spread;
mod versions;

use std::sync::Arc;

use cachescope_model::scan::{ScanMode, ScannedKey};
use hashbrown::HashMap;

pub(crate) use contents::{BIGGEST, Big, Contents, Words};
pub(crate) use estimate::{Interval, Moments, scaled_up, student_t};
pub(crate) use part::{Bytes, Found, Part, put_together};
pub(crate) use past::{PastScan, PastScans};
use recent::Recent;
use shards::Chosen;
pub(crate) use spread::Spread;
pub(crate) use versions::Versions;

use crate::tenants::ScannedTenants;

/// Of all rows together, at most so many of the biggest keys are kept, about 200 bytes each.
const MOST_BIG_KEYS: usize = 20_000;
/// Strata kept apart in one scan, about 300 bytes each; beyond, a row's strata are summed up as one.
const MOST_PARTS: usize = 50_000;
/// Scans under way at once: one a node.
const MOST_RUNNING: usize = 1_024;

/// The last complete scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Complete {
    pub(crate) at_ms: i64,
    pub(crate) mode: ScanMode,
    /// Whether every key was met.
    pub(crate) whole: bool,
}

/// One database as far as it was met.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    /// Keys that are there in all, as the source last said.
    keys: u64,
    met: u64,
}

impl Extent {
    /// The share of its keys that was met.
    fn share(&self, whole: bool) -> f64 {
        if whole || self.keys <= self.met { 1.0 } else { self.met as f64 / self.keys as f64 }
    }
}

/// Which sums a key belongs to: row, database, stratum.
type Place = (u32, u16, u16);

/// What one scan of one node found, or has found so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    databases: HashMap<u16, Extent>,
    parts: HashMap<Place, Part>,
    /// Shared with the rows, where no other server has keys of them.
    contents: HashMap<u32, Arc<Contents>>,
    pub(crate) tenants: ScannedTenants,
    versions: HashMap<u32, Versions>,
    /// Whether every key was met.
    whole: bool,
}

impl Sums {
    fn add(&mut self, row: u32, database: u16, key: &ScannedKey, longest_ttl_seconds: Option<f64>) {
        let known = self.parts.len() < MOST_PARTS || self.parts.contains_key(&(row, database, key.stratum));
        let stratum = if known { key.stratum } else { u16::MAX };
        self.parts.entry((row, database, stratum)).or_default().add(key, longest_ttl_seconds);
        if key.memory.is_some() {
            let most = (MOST_BIG_KEYS / self.contents.len().max(1)).clamp(1, BIGGEST);
            Arc::make_mut(self.contents.entry(row).or_default()).add(database, key, most);
        }
    }

    /// The share of a database's keys that was met.
    fn share(&self, database: u16, whole: bool) -> f64 {
        self.databases.get(&database).map_or(1.0, |extent| extent.share(whole))
    }

    /// Its parts with the share of their database that was met.
    fn parts(&self) -> impl Iterator<Item = (u32, &Part, f64)> {
        self.parts.iter().map(|((row, database, _), part)| (*row, part, self.share(*database, self.whole)))
    }
}

/// A scan that runs.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    scan: u64,
    node: u32,
    mode: ScanMode,
    recent: Recent,
    sums: Sums,
    /// Keys met when it was last looked whether they are enough.
    looked_at: u64,
}

/// A complete scan.
#[derive(Clone, Debug)]
struct Ended {
    at_ms: i64,
    mode: ScanMode,
    sums: Sums,
}

/// Scans by the node on which they run, and what the last complete ones found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scans {
    running: Vec<Running>,
    /// What the last complete scan of each node found.
    last: HashMap<u32, Ended>,
    /// Which of them are put together.
    used: Vec<u32>,
    /// Primaries whose keys are not among them; empty where all are.
    pub(crate) without: String,
    pub(crate) complete: Option<Complete>,
    /// Times to live over all rows.
    pub(crate) ttls: Spread,
}

impl Scans {
    /// A scan begins; one that ran on the same node before it is abandoned.
    pub(crate) fn started(&mut self, node: u32, scan: u64, mode: ScanMode) {
        self.running.retain(|running| running.node != node && running.scan != scan);
        if self.running.len() < MOST_RUNNING {
            let (recent, sums) = (Recent::default(), Sums::default());
            self.running.push(Running { scan, node, mode, recent, sums, looked_at: 0 });
        }
    }

    /// Takes out the scan that ended.
    fn finished(&mut self, node: u32, scan: u64) -> Option<Running> {
        let place = self.running.iter().position(|running| running.node == node && running.scan == scan)?;
        Some(self.running.swap_remove(place))
    }

    /// When the last complete scan of a node ended.
    fn ended_ms(&self, node: u32) -> Option<i64> {
        self.last.get(&node).map(|ended| ended.at_ms)
    }

    /// Puts these scans together from now on. Returns whether any of them is another than before.
    fn choose(&mut self, chosen: Chosen) -> bool {
        let before = self.complete.map(|complete| complete.at_ms);
        let others = before != Some(chosen.at_ms) || self.used != chosen.nodes;
        self.used = chosen.nodes;
        self.without = chosen.without;
        let sampled = |ended: &&Ended| ended.mode != ScanMode::Exact;
        let mode = self.used().find(sampled).map_or(ScanMode::Exact, |ended| ended.mode);
        let whole = self.used().all(|ended| ended.sums.whole);
        self.complete = Some(Complete { at_ms: chosen.at_ms, mode, whole });
        others
    }

    /// The scans that are put together.
    fn used(&self) -> impl Iterator<Item = &Ended> {
        self.used.iter().filter_map(|node| self.last.get(node))
    }

    /// Whether one runs now.
    pub(crate) fn is_running(&self) -> bool {
        !self.running.is_empty()
    }
}
