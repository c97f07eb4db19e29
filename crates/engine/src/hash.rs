//! Hashes that stand for keys and series in bounded tables.

use std::hash::{BuildHasher, Hasher};

use cachescope_model::metrics::Series;
use hashbrown::DefaultHashBuilder;

/// Hashes with a seed of its own per engine, so that nobody can craft keys that collide.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hashing {
    first: DefaultHashBuilder,
    second: DefaultHashBuilder,
}

impl Hashing {
    /// 64 bits for a key in a logical database.
    pub(crate) fn key(&self, database: u16, key: &[u8]) -> u64 {
        let mut hasher = self.first.build_hasher();
        hasher.write_u16(database);
        hasher.write(key);
        hasher.finish()
    }

    /// 128 bits for a series: enough that two never share one.
    pub(crate) fn series(&self, endpoint: usize, series: &Series) -> u128 {
        let half = |builder: &DefaultHashBuilder| u128::from(builder.hash_one((endpoint, series)));
        half(&self.first) << 64 | half(&self.second)
    }
}
