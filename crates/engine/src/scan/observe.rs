//! Taking in what scans report, and giving every row its share of it.

use std::sync::Arc;

use cachescope_model::scan::{ScanChunk, ScanFinished};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::{
    BIGGEST, Bytes, Contents, Ended, Found, Interval, MOST_BIG_KEYS, Part, Spread, Sums, Versions,
    put_together, scaled_up,
};
use crate::engine::Engine;
use crate::tenants::ScannedTenants;

impl Engine {
    /// Some keys of a scan.
    pub(crate) fn observe_scan(&mut self, node: u32, at_ms: i64, chunk: &ScanChunk) {
        // Taken out for the while: attributing a key may change the rows.
        let Some(mut running) = self.scans.finished(node, chunk.scan) else { return };
        for key in &chunk.keys {
            let hash = self.hashing.key(chunk.database, &key.key);
            if running.recent.is_repeat(hash) {
                continue;
            }
            let row = self.attribute_or_discover(chunk.database, &key.key);
            self.observe_existing(node, at_ms, hash);
            self.may_probe(row, node, at_ms, chunk.database, &key.key);
            let extent = running.sums.databases.entry(chunk.database).or_default();
            extent.met += 1;
            extent.keys = chunk.database_keys;
            let held = self.rows.get(row);
            running.sums.add(row, chunk.database, key, held.longest_ttl_seconds);
            if held.tenant_field.is_some() {
                let tenant = self.tenant_of(row, &key.key);
                running.sums.tenants.add(row, tenant, key.memory);
            }
            if let Some((version, rest)) = self.version_of(row, &key.key) {
                running.sums.versions.entry(row).or_default().add(version, rest);
            }
        }
        self.scans.running.push(running);
    }

    pub(crate) fn observe_scan_end(&mut self, node: u32, at_ms: i64, finished: ScanFinished) {
        let Some(mut ended) = self.scans.finished(node, finished.scan) else { return };
        if !finished.complete {
            return;
        }
        ended.sums.whole = finished.whole;
        self.scans.last.insert(node, Ended { at_ms, mode: ended.mode, sums: ended.sums });
        if let Some(chosen) = self.choose_scans(|node| self.scans.ended_ms(node)) {
            self.scans.choose(chosen);
            self.publish_scans(at_ms);
        }
    }

    /// Other servers, or one that can't be scanned: other scans may have to be put together.
    pub(crate) fn choose_scans_anew(&mut self, at_ms: i64) {
        if let Some(chosen) = self.choose_scans(|node| self.scans.ended_ms(node))
            && self.scans.choose(chosen)
        {
            self.publish_scans(at_ms);
        }
    }

    /// Gives every row its share of what the last complete scans of all nodes found.
    fn publish_scans(&mut self, at_ms: i64) {
        let mut parts: HashMap<u32, Vec<(&Part, f64)>> = HashMap::new();
        let mut contents: HashMap<u32, Arc<Contents>> = HashMap::new();
        let mut tenants = ScannedTenants::default();
        let rows: usize = self.scans.used().map(|ended| ended.sums.contents.len()).sum();
        let most = (MOST_BIG_KEYS / rows.max(1)).clamp(1, BIGGEST);
        for Ended { sums, .. } in self.scans.used() {
            for (row, part, met) in sums.parts() {
                parts.entry(self.rows.resolve(row)).or_default().push((part, met));
            }
            for (row, found) in &sums.contents {
                match contents.entry(self.rows.resolve(*row)) {
                    Entry::Vacant(entry) => {
                        entry.insert(Arc::clone(found));
                    }
                    Entry::Occupied(mut entry) => Arc::make_mut(entry.get_mut()).merge(found, most),
                }
            }
            tenants.merge(&sums.tenants, |row| self.rows.resolve(row));
        }
        let together =
            |parts: &Vec<(&Part, f64)>| put_together(parts.iter().map(|(part, met)| (*part, *met)));
        let mut found: HashMap<u32, Found> =
            parts.iter().map(|(row, parts)| (*row, together(parts))).collect();
        drop(parts);
        estimate_by_the_average(&mut found);
        let mut ttls = Spread::default();
        for row in found.values() {
            ttls.merge(&row.ttls, 1.0);
        }
        self.scans.ttls = ttls;
        let mut versions: HashMap<u32, Versions> = HashMap::new();
        for Ended { sums, .. } in self.scans.used() {
            for (row, found) in &sums.versions {
                versions.entry(self.rows.resolve(*row)).or_default().merge(found);
            }
        }
        let nothing = Arc::new(Contents::default());
        let unmet = unmet(self.scans.used().map(|ended| &ended.sums));
        for (number, row) in self.rows.live_mut() {
            let mut found = found.remove(&number).unwrap_or_else(|| unmet.clone());
            found.contents = contents.remove(&number).unwrap_or_else(|| Arc::clone(&nothing));
            found.stale = versions.get(&number).map(Versions::stale).unwrap_or_default();
            let bytes = match found.bytes {
                Bytes::Known(bytes) => bytes.value,
                _ => f64::NAN,
            };
            row.scans.note(at_ms, bytes, found.keys.value);
            row.scanned = Some(Box::new(found));
        }
        self.tenants.scanned(tenants);
    }
}

/// What is known of a row no key of which was met: there may be some where a part of the walk stands for all.
fn unmet<'s>(scans: impl Iterator<Item = &'s Sums>) -> Found {
    let none = |sums: &Sums, database: &u16| scaled_up(0, sums.share(*database, sums.whole));
    let mut keys = Interval::default();
    for sums in scans {
        keys = sums.databases.keys().fold(keys, |keys, database| keys.plus(&none(sums, database)));
    }
    let bytes = if keys.high > 0.0 { Bytes::LikeTheAverage(0.0) } else { Bytes::Known(Interval::default()) };
    Found { keys, bytes, ..Found::default() }
}

/// Rows of which too few keys were weighed are taken to hold keys of the average size.
fn estimate_by_the_average(found: &mut HashMap<u32, Found>) {
    let known = |row: &Found| match row.bytes {
        Bytes::Known(bytes) if row.weighed > 0 => Some((bytes.value, row.keys.value)),
        _ => None,
    };
    let (bytes, keys) =
        found.values().filter_map(known).fold((0.0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
    if keys > 0.0 {
        for row in found.values_mut().filter(|row| row.bytes == Bytes::Unknown) {
            row.bytes = Bytes::LikeTheAverage(row.keys.value * bytes / keys);
        }
    }
}
