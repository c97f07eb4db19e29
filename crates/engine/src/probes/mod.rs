//! Our own round trips on a namespace's keys, and the keys that may be probed because they were seen to exist.

mod order;

use bytes::Bytes;
use cachescope_model::sample::{ProbeCandidate, ProbedKey};
use smallvec::SmallVec;

pub(crate) use order::{bounds_of, least_samples};

use crate::command_times::Scale;
use crate::engine::Engine;
use crate::window::{Buckets, Column, Fold, Frame};

/// From 10 µs on, each bucket 9 % wider than the one before.
pub(crate) const TRIP_SCALE: Scale = Scale { first: 10e-6, per_octave: 8.0 };
/// Keys kept for one namespace.
const MOST_KEYS: usize = 3;
/// Longer keys are not kept.
const LONGEST_KEY: usize = 512;
/// A key makes room for another one after this time, so that not the same ones are probed for ever.
const KEPT_MILLIS: i64 = 30_000;
/// Where not all keys find a place, other namespaces get theirs after this time.
const TURN_MILLIS: i64 = 30_000;

#[derive(Clone, Debug)]
struct Candidate {
    node: u32,
    database: u16,
    key: Box<[u8]>,
    since_ms: i64,
}

/// What probing knows of one namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probed {
    candidates: SmallVec<[Candidate; MOST_KEYS]>,
    full_until_ms: i64,
    /// When the first round trip was made.
    pub(crate) since_ms: Option<i64>,
    pub(crate) trips: Buckets,
    pub(crate) nanos: Column,
    /// Round trips that brought no value.
    pub(crate) without_value: Column,
}

impl Probed {
    /// A key was seen to exist.
    pub(crate) fn offer(&mut self, node: u32, at_ms: i64, database: u16, key: &[u8]) {
        if at_ms < self.full_until_ms || key.len() > LONGEST_KEY {
            return;
        }
        let same = |known: &Candidate| known.node == node && known.database == database && *known.key == *key;
        if let Some(known) = self.candidates.iter_mut().find(|known| same(known)) {
            known.since_ms = at_ms;
        } else {
            if self.candidates.len() == MOST_KEYS {
                self.candidates.remove(0);
            }
            self.candidates.push(Candidate { node, database, key: key.into(), since_ms: at_ms });
        }
        self.candidates.sort_by_key(|known| known.since_ms);
        if let (MOST_KEYS, Some(oldest)) = (self.candidates.len(), self.candidates.first()) {
            self.full_until_ms = oldest.since_ms + KEPT_MILLIS;
        }
    }

    fn gone(&mut self, node: u32, database: u16, key: &[u8]) {
        let same = |known: &Candidate| known.node == node && known.database == database && *known.key == *key;
        if let Some(place) = self.candidates.iter().position(same) {
            self.candidates.remove(place);
            self.full_until_ms = 0;
        }
    }

    fn add(&mut self, frame: &Frame, at_ms: i64, probe: &ProbedKey) {
        let second = at_ms.div_euclid(1000);
        self.since_ms.get_or_insert(at_ms);
        self.trips.add(frame, second, TRIP_SCALE.bucket(probe.seconds), 1);
        self.nanos.add(frame, second, (probe.seconds * 1e9).clamp(0.0, 1e15) as u64);
        if !probe.with_value {
            self.without_value.add(frame, second, 1);
        }
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        self.trips.fold(folds);
        self.nanos.fold(folds);
        self.without_value.fold(folds);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.since_ms = [self.since_ms, other.since_ms].into_iter().flatten().min();
        self.trips.merge(&other.trips);
        self.nanos.merge(&other.nanos);
        self.without_value.merge(&other.without_value);
        for candidate in &other.candidates {
            if self.candidates.len() < MOST_KEYS {
                self.candidates.push(candidate.clone());
            }
        }
    }
}

impl Engine {
    /// A key of this row was seen to exist: it may be probed.
    pub(crate) fn may_probe(&mut self, row: u32, node: u32, at_ms: i64, database: u16, key: &[u8]) {
        self.rows.get_mut(row).probed.get_or_insert_default().offer(node, at_ms, database, key);
    }

    /// Takes in round trips of our own.
    pub(crate) fn observe_probes(&mut self, node: u32, at_ms: i64, probes: &[ProbedKey]) {
        for probe in probes {
            let row = self.attribute_or_discover(probe.database, &probe.key);
            let probed = self.rows.get_mut(row).probed.get_or_insert_default();
            if probe.hit && probe.seconds.is_finite() {
                probed.add(&self.frame, at_ms, probe);
            } else {
                probed.gone(node, probe.database, &probe.key);
            }
        }
    }

    /// Keys that were seen to exist, up to three of each namespace and `most` altogether: the first of each
    /// namespace, then the second, then the third. Where not all find a place, namespaces take turns.
    #[must_use]
    pub fn probe_candidates(&self, most: usize) -> Vec<ProbeCandidate> {
        let rows: Vec<&Probed> = self
            .rows
            .live()
            .filter_map(|(_, row)| row.probed.as_deref())
            .filter(|probed| !probed.candidates.is_empty())
            .collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let at_once = (most / MOST_KEYS).max(1).min(rows.len());
        let turn = usize::try_from(self.now_ms / TURN_MILLIS).unwrap_or(0);
        let first = if at_once == rows.len() { 0 } else { turn.wrapping_mul(at_once) % rows.len() };
        let chosen: Vec<_> = rows.iter().cycle().skip(first).take(at_once).collect();
        (0..MOST_KEYS)
            .flat_map(|place| chosen.iter().filter_map(move |probed| probed.candidates.get(place)))
            .take(most)
            .map(|candidate| ProbeCandidate {
                node: self.server.name(candidate.node),
                database: candidate.database,
                key: Bytes::copy_from_slice(&candidate.key),
            })
            .collect()
    }
}
