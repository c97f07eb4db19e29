//! When a precise scan has met enough keys.

use cachescope_model::scan::ScanMode;
use hashbrown::HashMap;

use super::{Bytes, Part, Running, put_together};
use crate::engine::Engine;
use crate::rows::Rows;

/// Keys that are met in any case before anything is said: of a namespace that is one key in five thousand, some
/// are among them with a chance of 98 in 100.
const LEAST_MET: u64 = 20_000;
/// It is looked again after this share more of the keys met.
const LOOK_AGAIN: u64 = 20;
/// Rows of which too few keys were weighed to tell may hold keys of so many times the usual size.
const UNUSUAL: f64 = 10.0;

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
    /// Whether half the interval of every row is within `half_width` of all bytes.
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
        let all: f64 = found.iter().filter_map(|row| known(row.bytes)).map(|bytes| bytes.value).sum();
        let keys: f64 = found.iter().filter(|row| known(row.bytes).is_some()).map(|row| row.keys.value).sum();
        let (allowed, usual) = (half_width * all, all / keys.max(1.0));
        found.iter().all(|row| match known(row.bytes) {
            Some(bytes) => bytes.half() <= allowed,
            None => row.keys.high * usual * UNUSUAL <= allowed,
        })
    }
}
