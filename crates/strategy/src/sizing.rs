//! `[sizing]` and `[redis]`: how many bytes are expected, and how Redis is to hold them.

use cachescope_model::strategy::{RedisExpectation, Sizing, SizingEntry};

use crate::names::Kind;
use crate::section::Section;

/// How far a documented total may be from entry size × count × overhead before it is worth a warning.
const TOLERANCE: f64 = 0.05;

/// Every `maxmemory-policy` that Redis and Valkey know.
const POLICIES: [&str; 8] = [
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

/// Reads `[sizing]` with its `[[sizing.entry]]`.
pub(crate) fn sizing(section: Section<'_>) -> Sizing {
    let overhead = section.number("overhead").unwrap_or(1.0);
    if !(1.0..=100.0).contains(&overhead) {
        section.error("overhead", format!("`overhead`: {overhead} is no factor from 1; write 1.3"));
    }
    let sizing = Sizing {
        overhead,
        entries: section.tables("entry").into_iter().map(|row| entry(row, overhead)).collect(),
        total_bytes: section.bytes("total"),
        recommended_bytes: section.bytes("recommended"),
        recommended_max_bytes: section.bytes("recommended_max"),
        documented: section.text_or_empty("documented"),
    };
    if let Some(total) = sizing.total_bytes {
        let rows: u64 = sizing.entries.iter().fold(0, |sum, row| sum.saturating_add(row.total_bytes));
        if differ(total, rows as f64) {
            section.warning(
                "total",
                format!("`total` is {total} bytes, its rows add up to {rows}; correct one of them"),
            );
        }
    }
    section.finish();
    sizing
}

fn entry(section: Section<'_>, overhead: f64) -> SizingEntry {
    let mut row = SizingEntry {
        what: section.required_text("what", "\"sessions\""),
        namespaces: section.references("namespaces", Kind::Namespace),
        entry_bytes: section.bytes("entry_size").unwrap_or_default(),
        count: section.integer("count").unwrap_or(1),
        total_bytes: 0,
    };
    if !section.has("entry_size") {
        section.missing("entry_size", "\"2 KB\"");
    }
    let expected = row.expected_bytes(overhead);
    row.total_bytes = section.bytes("total").unwrap_or(expected as u64);
    if differ(row.total_bytes, expected) {
        section.warning(
            "total",
            format!(
                "{}: `total` is {} bytes, entry size × count × overhead is {expected}; correct one of them",
                row.what, row.total_bytes
            ),
        );
    }
    section.finish();
    row
}

fn differ(documented: u64, computed: f64) -> bool {
    (documented as f64 - computed).abs() > TOLERANCE * computed
}

/// Reads `[redis]`.
pub(crate) fn redis(section: Section<'_>) -> RedisExpectation {
    let policy = section.word("maxmemory_policy", &POLICIES.map(|policy| (policy, policy)));
    let mode = section.word("mode", &["standalone", "sentinel", "cluster"].map(|mode| (mode, mode)));
    let redis = RedisExpectation {
        maxmemory: section.bytes("maxmemory"),
        maxmemory_policy: policy.map(str::to_owned),
        minimum_version: section.text("minimum_version"),
        mode: mode.map(str::to_owned),
        provider: section.text("provider"),
        notes: section.texts("notes"),
    };
    section.finish();
    redis
}
