//! Keys and bytes by tenant, from scans.

use hashbrown::HashMap;

use super::LONGEST_NAME;
use crate::scan::Moments;

/// Tenants of one namespace that are told apart in a scan. A scan meets keys in the order of their hashes, so the
/// large ones are met among the first.
const MOST_OF_A_ROW: usize = 1_000;
/// Tenants of all namespaces together, about 150 bytes each.
const MOST_IN_ALL: usize = 50_000;

/// Sums over the keys of one tenant, or of all that are not told apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScannedTenant {
    pub(crate) keys: u64,
    pub(crate) memory: Moments,
}

impl ScannedTenant {
    fn add(&mut self, memory: Option<u64>) {
        self.keys += 1;
        if let Some(bytes) = memory {
            self.memory.add(bytes as f64);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.keys += other.keys;
        self.memory.merge(&other.memory);
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ScannedRow {
    pub(crate) named: HashMap<Box<[u8]>, ScannedTenant>,
    /// Those not told apart, and keys without a tenant that can be read.
    pub(crate) others: ScannedTenant,
    /// Keys in which the tenant's place is empty or can't be read.
    pub(crate) without: u64,
}

/// What a scan found by row and tenant.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScannedTenants {
    rows: HashMap<u32, ScannedRow>,
    named: usize,
}

impl ScannedTenants {
    pub(crate) fn add(&mut self, row: u32, tenant: Option<&[u8]>, memory: Option<u64>) {
        let of_row = self.rows.entry(row).or_default();
        let Some(tenant) = tenant.filter(|tenant| !tenant.is_empty()) else {
            of_row.without += 1;
            return of_row.others.add(memory);
        };
        if let Some(known) = of_row.named.get_mut(tenant) {
            return known.add(memory);
        }
        let room = of_row.named.len() < MOST_OF_A_ROW && self.named < MOST_IN_ALL;
        if !room || tenant.len() > LONGEST_NAME {
            return of_row.others.add(memory);
        }
        self.named += 1;
        of_row.named.entry(tenant.into()).or_default().add(memory);
    }

    /// Adds what another node's scan found; `resolve` says which row a number stands for now.
    pub(crate) fn merge(&mut self, other: &Self, resolve: impl Fn(u32) -> u32) {
        for (row, found) in &other.rows {
            let of_row = self.rows.entry(resolve(*row)).or_default();
            of_row.others.merge(&found.others);
            of_row.without += found.without;
            for (name, tenant) in &found.named {
                if let Some(known) = of_row.named.get_mut(name) {
                    known.merge(tenant);
                } else if of_row.named.len() < MOST_OF_A_ROW && self.named < MOST_IN_ALL {
                    self.named += 1;
                    of_row.named.insert(name.clone(), tenant.clone());
                } else {
                    of_row.others.merge(tenant);
                }
            }
        }
    }

    pub(crate) fn of_row(&self, row: u32) -> Option<&ScannedRow> {
        self.rows.get(&row)
    }
}
