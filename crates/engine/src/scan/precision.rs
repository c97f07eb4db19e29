//! When a precise scan has met enough keys.

use cachescope_model::scan::ScanMode;
use hashbrown::HashMap;

use super::{Bytes, Part, Running, put_together};
use crate::engine::Engine;
use crate::rows::Rows;

/// Keys that are met in any case before anything is said.
const LEAST_MET: u64 = 5_000;
/// It is looked again after this share more of the keys met.
const LOOK_AGAIN: u64 = 20;
/// A row's bytes below this share of all need not be known as closely as others, in proportion.
const SHARE_THAT_MATTERS: f64 = 0.05;

impl Engine {
    /// Whether the running precise scan of a node knows every row closely enough: its node and number, once it
    /// does. To be asked after chunks were taken in; it looks only now and then.
    pub fn scans_with_enough(&mut self) -> Vec<(String, u64)> {
        let mut enough = Vec::new();
        for running in &mut self.scans.running {
            let ScanMode::Precise { half_width } = running.mode else { continue };
            let met: u64 = running.sums.databases.values().map(|extent| extent.met).sum();
            if met < LEAST_MET || met < running.looked_at + running.looked_at / LOOK_AGAIN {
                continue;
            }
            running.looked_at = met;
            if running.is_precise(&self.rows, half_width) {
                enough.push((running.node, running.scan));
            }
        }
        let named = |(node, scan): (u32, u64)| (self.server.node_mut(node).name.to_string(), scan);
        enough.into_iter().map(named).collect()
    }
}

impl Running {
    /// Whether half the interval of every row is within `half_width` of its bytes, or within a twentieth of
    /// that of all bytes.
    fn is_precise(&self, rows: &Rows, half_width: f64) -> bool {
        let mut by_row: HashMap<u32, Vec<(&Part, f64)>> = HashMap::new();
        for (row, part, met) in self.sums.parts() {
            by_row.entry(rows.resolve(row)).or_default().push((part, met));
        }
        let found: Vec<_> = by_row
            .values()
            .map(|parts| put_together(parts.iter().map(|(part, met)| (*part, *met))))
            .collect();
        let known = |bytes: Bytes| match bytes {
            Bytes::Known(interval) => Some(interval),
            _ => None,
        };
        let weighed: f64 = found.iter().filter_map(|row| known(row.bytes)).map(|bytes| bytes.value).sum();
        let keys: f64 = found.iter().filter(|row| known(row.bytes).is_some()).map(|row| row.keys.value).sum();
        let usual = weighed / keys.max(1.0);
        found.iter().all(|row| match known(row.bytes) {
            Some(bytes) => bytes.half() <= half_width * bytes.value.max(SHARE_THAT_MATTERS * weighed),
            // So few that none was weighed: they would have to be of ten times the usual size to matter.
            None => row.keys.high * usual * 10.0 <= half_width * SHARE_THAT_MATTERS * weighed,
        })
    }
}
