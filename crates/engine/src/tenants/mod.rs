//! Tenants as a second dimension: what is counted of a namespace whose template has a tenant field is counted
//! by tenant too.
//!
//! Bounded: of each namespace the busiest tenants have counts of their own, everybody else shares one row. A
//! tenant gets a place once it has been busier within a minute than the least busy one that has a place; its
//! counts begin then, what it did before stays with the others. Nothing is allocated for a namespace before it
//! counts something.

mod scanned;

use hashbrown::HashMap;

pub(crate) use scanned::{ScannedTenant, ScannedTenants};

use crate::engine::Engine;
use crate::matcher::Match;
use crate::rows::OTHER;
use crate::window::{Count, Fold, Frame, Tally};

/// Tenants of one namespace with counts of their own.
pub(crate) const MOST_OF_A_ROW: usize = 100;
/// Tenants of all namespaces together, about 2 kB each where busy: 20 MB at most.
const MOST_IN_ALL: usize = 10_000;
/// Tenants of one namespace that are weighed for a place, 16 bytes each.
const MOST_CANDIDATES: usize = 512;
/// Longer names are values, not tenants.
pub(crate) const LONGEST_NAME: usize = 128;

/// One tenant's counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tenant {
    pub(crate) tally: Tally,
    /// How busy it was lately; halved each minute.
    weight: u32,
    /// Since when it has counts of its own, in milliseconds; 0: since the namespace has.
    pub(crate) since_ms: i64,
}

/// The tenants of one namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct TenantsOfRow {
    pub(crate) named: HashMap<Box<[u8]>, Tenant>,
    pub(crate) others: Tally,
    candidates: HashMap<u64, u32>,
    minute: i64,
}

/// The tenants of all namespaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tenants {
    rows: HashMap<u32, TenantsOfRow>,
    named: usize,
    scanned: ScannedTenants,
}

/// Something that happened to a tenant's key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happened<'k> {
    pub(crate) row: u32,
    pub(crate) tenant: &'k [u8],
    pub(crate) hash: u64,
    pub(crate) count: Count,
    pub(crate) at_ms: i64,
}

impl Tenants {
    /// What the last scans found.
    pub(crate) fn scanned(&mut self, found: ScannedTenants) {
        self.scanned = found;
    }

    /// What was counted of a namespace's tenants, and what scans found of them.
    pub(crate) fn of_row(&self, row: u32) -> (Option<&TenantsOfRow>, &ScannedTenants) {
        (self.rows.get(&row), &self.scanned)
    }

    fn count(&mut self, frame: &Frame, happened: Happened<'_>) {
        let Happened { row, tenant, hash, count, at_ms } = happened;
        let second = at_ms.div_euclid(1000);
        let of_row = self.rows.entry(row).or_default();
        of_row.age(second.div_euclid(60));
        if let Some(known) = of_row.named.get_mut(tenant) {
            known.weight = known.weight.saturating_add(1);
            return known.tally.add(count, frame, second, 1);
        }
        let replaces = match of_row.place_for(tenant, hash, self.named) {
            Place::None => return of_row.others.add(count, frame, second, 1),
            Place::Free => None,
            Place::Of(name) => Some(name),
        };
        let since_ms = if replaces.is_some() || !of_row.candidates.is_empty() { at_ms } else { 0 };
        if let Some(gone) = replaces.and_then(|name| of_row.named.remove(&name)) {
            of_row.others.merge(&gone.tally);
            self.named -= 1;
        }
        let mut newcomer =
            Tenant { weight: of_row.candidates.remove(&hash).unwrap_or(1), since_ms, ..Tenant::default() };
        newcomer.tally.add(count, frame, second, 1);
        of_row.named.insert(tenant.into(), newcomer);
        self.named += 1;
    }

    /// Takes one back, from the tenant or from the others.
    fn take(&mut self, frame: &Frame, happened: Happened<'_>) {
        let Some(of_row) = self.rows.get_mut(&happened.row) else { return };
        let second = happened.at_ms.div_euclid(1000);
        let named = of_row.named.get_mut(happened.tenant);
        let taken = named.map_or(0, |tenant| tenant.tally.take(happened.count, frame, second, 1));
        if taken == 0 {
            of_row.others.take(happened.count, frame, second, 1);
        }
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for of_row in self.rows.values_mut() {
            of_row.others.fold(folds);
            for tenant in of_row.named.values_mut() {
                tenant.tally.fold(folds);
            }
        }
    }
}

enum Place {
    None,
    Free,
    Of(Box<[u8]>),
}

impl TenantsOfRow {
    /// Once a minute, what was is worth half.
    fn age(&mut self, minute: i64) {
        if minute <= self.minute {
            return;
        }
        let halves = u32::try_from(minute - self.minute).unwrap_or(u32::MAX).min(31);
        self.minute = minute;
        self.candidates.clear();
        for tenant in self.named.values_mut() {
            tenant.weight >>= halves;
        }
    }

    fn place_for(&mut self, tenant: &[u8], hash: u64, in_all: usize) -> Place {
        if tenant.len() > LONGEST_NAME {
            return Place::None;
        }
        let room = self.named.len() < MOST_OF_A_ROW && in_all < MOST_IN_ALL;
        if room {
            return Place::Free;
        }
        if !self.candidates.contains_key(&hash) && self.candidates.len() >= MOST_CANDIDATES {
            return Place::None;
        }
        let busy = self.candidates.entry(hash).or_default();
        *busy = busy.saturating_add(1);
        // Looked at now and then: it takes a look at each that has a place.
        if *busy < 8 || !busy.is_power_of_two() {
            return Place::None;
        }
        let least = self.named.iter().min_by_key(|(_, tenant)| tenant.weight);
        match least {
            Some((name, tenant)) if tenant.weight < *busy => Place::Of(name.clone()),
            _ => Place::None,
        }
    }
}

impl Engine {
    /// The tenant of a key of this row, where its template has one.
    pub(crate) fn tenant_of<'k>(&self, row: u32, key: &'k [u8]) -> Option<&'k [u8]> {
        let field = self.rows.get(row).tenant_field.as_deref()?;
        let index = row.checked_sub(OTHER + 1)? as usize;
        self.matcher.field(Match { index }, key, field)
    }

    /// Counts something that happened to a key by its tenant as well, where its template has one.
    pub(crate) fn count_tenant(&mut self, row: u32, key: &[u8], count: Count, at_ms: i64) {
        if let Some(tenant) = self.tenant_of(row, key) {
            let hash = self.hashing.key(0, tenant);
            self.tenants.count(&self.frame, Happened { row, tenant, hash, count, at_ms });
        }
    }

    /// Takes back what was counted by mistake.
    pub(crate) fn take_tenant(&mut self, row: u32, key: &[u8], count: Count, at_ms: i64) {
        if let Some(tenant) = self.tenant_of(row, key) {
            self.tenants.take(&self.frame, Happened { row, tenant, hash: 0, count, at_ms });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(tenants: &mut Tenants, frame: &Frame, row: u32, tenant: &str, second: i64) {
        let hash = tenant.bytes().fold(7u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let happened =
            Happened { row, tenant: tenant.as_bytes(), hash, count: Count::Evicted, at_ms: second * 1000 };
        tenants.count(frame, happened);
    }

    #[test]
    fn a_busy_latecomer_gets_a_place_and_nothing_is_lost() {
        let mut frame = Frame::default();
        frame.advance(1_000);
        let mut tenants = Tenants::default();
        for number in 0..MOST_OF_A_ROW + 50 {
            count(&mut tenants, &frame, 1, &format!("small{number}"), 1_000);
        }
        for _ in 0..500 {
            count(&mut tenants, &frame, 1, "busy", 1_000);
        }
        let of_row = tenants.of_row(1).0.expect("it counted");
        assert_eq!(of_row.named.len(), MOST_OF_A_ROW);
        let range = frame.range(1_000, 60);
        let busy = &of_row.named[&b"busy"[..]];
        assert!(busy.tally.sum(Count::Evicted, &range) > 480 && busy.since_ms > 0);
        let named: u64 = of_row.named.values().map(|tenant| tenant.tally.sum(Count::Evicted, &range)).sum();
        assert_eq!(named + of_row.others.sum(Count::Evicted, &range), 650);
    }

    #[test]
    fn five_thousand_namespaces_of_a_thousand_tenants_stay_within_the_bound() {
        let mut frame = Frame::default();
        frame.advance(1_000);
        let mut tenants = Tenants::default();
        for row in 1..=5_000 {
            for tenant in 0..1_000 / 10 {
                count(&mut tenants, &frame, row, &format!("t{tenant}"), 1_000);
            }
        }
        assert_eq!(tenants.named, MOST_IN_ALL);
        let held: usize = tenants.rows.values().map(|row| row.named.len()).sum();
        assert_eq!(held, MOST_IN_ALL);
        let bytes: usize = tenants
            .rows
            .values()
            .flat_map(|row| row.named.values())
            .map(|tenant| tenant.tally.heap_bytes() + size_of::<Tenant>() + LONGEST_NAME)
            .sum();
        assert!(bytes < 20_000_000, "{bytes}");
    }
}
