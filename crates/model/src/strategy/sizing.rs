//! How many bytes the document expects, and how Redis is to hold them.

use serde::Serialize;

/// The sizing table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sizing {
    /// Factor for what Redis needs beside the values; 1 where the document uses none.
    pub overhead: f64,
    /// Its rows.
    pub entries: Vec<SizingEntry>,
    /// Its documented total in bytes.
    pub total_bytes: Option<u64>,
    /// Smallest recommended instance in bytes.
    pub recommended_bytes: Option<u64>,
    /// Largest recommended instance in bytes, where the document gives a range.
    pub recommended_max_bytes: Option<u64>,
    /// The document's own words on the recommendation.
    pub documented: String,
}

/// One row of the sizing table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SizingEntry {
    /// What, in the document's words.
    pub what: String,
    /// The namespaces it stands for.
    pub namespaces: Vec<String>,
    /// Bytes of one entry.
    pub entry_bytes: u64,
    /// How many entries.
    pub count: u64,
    /// The documented total of the row in bytes.
    pub total_bytes: u64,
}

impl Sizing {
    /// Bytes expected by entry size × count × overhead, over all rows.
    #[must_use]
    pub fn expected_bytes(&self) -> f64 {
        self.entries.iter().map(|entry| entry.expected_bytes(self.overhead)).sum()
    }
}

impl SizingEntry {
    /// Bytes expected by entry size × count × `overhead`.
    #[must_use]
    pub fn expected_bytes(&self, overhead: f64) -> f64 {
        self.entry_bytes as f64 * self.count as f64 * overhead
    }
}

/// How Redis is to be configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RedisExpectation {
    /// Bytes of `maxmemory`.
    pub maxmemory: Option<u64>,
    /// `maxmemory-policy`.
    pub maxmemory_policy: Option<String>,
    /// Oldest version.
    pub minimum_version: Option<String>,
    /// `standalone`, `sentinel` or `cluster`.
    pub mode: Option<String>,
    /// The product, such as Upstash.
    pub provider: Option<String>,
    /// Why, one sentence each.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_bytes_are_entry_size_times_count_times_overhead() {
        let row = |entry_bytes, count| SizingEntry { entry_bytes, count, ..SizingEntry::default() };
        let sizing = Sizing {
            overhead: 1.3,
            entries: vec![row(2_000, 10_000), row(1_000, 50_000)],
            ..Sizing::default()
        };
        assert_eq!(sizing.expected_bytes(), 26e6 + 65e6);
    }
}
