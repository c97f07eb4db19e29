//! Memory, keys and times to live from the last complete scan; the remainder closes the sum.

use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind as R;

use super::view::View;
use crate::engine::Engine;
use crate::rows::{OTHER, Row};
use crate::scan::{Bytes, Found, Interval};

/// Keys, memory and times to live of one row.
pub(super) fn of_row(engine: &Engine, view: &View<'_>, number: u32, row: &Row, readings: &mut Readings) {
    let Some((source, _)) = &view.scan else {
        for kind in [R::MemoryBytes, R::Keys, R::TtlP50Seconds, R::NoTtlRatio] {
            readings.insert(kind, Reading::unavailable(view.reasons.scan.clone()));
        }
        return;
    };
    // A row that came after the scan had no keys then.
    let empty = Found { bytes: Bytes::Known(Interval::default()), ..Found::default() };
    let found = row.scanned.as_deref().unwrap_or(&empty);
    readings.insert(R::Keys, reading(found.keys, source.clone()));
    let memory = if number == OTHER { remainder(engine, view, source) } else { memory(found, source) };
    readings.insert(R::MemoryBytes, memory);
    times_to_live(found, source, readings);
}

/// Bytes of a row's keys.
fn memory(found: &Found, source: &str) -> Reading {
    match found.bytes {
        Bytes::Known(total) => reading(total, source.to_owned()),
        Bytes::LikeTheAverage(value) => {
            let assumption = "too few of its keys were weighed: taken to be as large as the average key";
            Reading::modelled(value, assumption, source.to_owned(), 0.0)
        }
        Bytes::Unknown => {
            Reading::unavailable("no key was weighed: the scan may not use MEMORY USAGE (+memory|usage)")
        }
    }
}

/// `used_memory` without the rows: keys of no namespace, and what the server itself needs.
fn remainder(engine: &Engine, view: &View<'_>, source: &str) -> Reading {
    let Some(levels) = engine.server.current(view.now_ms) else {
        return Reading::unavailable(view.reasons.info.clone());
    };
    let mut sum = Interval::default();
    for (_, row) in engine.rows.live().filter(|(number, _)| *number != OTHER) {
        let Some(found) = row.scanned.as_deref() else { continue };
        let bytes = memory(found, source);
        let Some(value) = bytes.value else {
            return Reading::unavailable(bytes.reason.unwrap_or_default());
        };
        let (low, high) = (bytes.low.unwrap_or(value), bytes.high.unwrap_or(value));
        sum = sum.plus(&Interval { value, low, high });
    }
    let rest = |part: f64| (levels.used_memory - part).max(0.0);
    let closed = Interval { value: rest(sum.value), low: rest(sum.high), high: rest(sum.low) };
    let remark = if sum.value > levels.used_memory {
        "the scanned keys took more than the server uses now: it has shrunk since"
    } else {
        "used_memory without the rows above: keys of no namespace, tables, buffers"
    };
    reading(closed, format!("INFO and {source}")).with_reason(remark)
}

fn times_to_live(found: &Found, source: &str, readings: &mut Readings) {
    let none = |what: &str| Reading::unavailable(what.to_owned());
    let no_keys = "it had no keys when it was scanned";
    let not_asked = "none of its keys was asked for its time to live";
    let ttl = match found.ttls.quantile(0.5) {
        Some(median) => Reading::estimated(median.value, median.low, median.high, source.to_owned(), 0.0),
        None if found.met == 0 => none(no_keys),
        None if found.asked == 0 => none(not_asked),
        None => none("none of the keys asked has a time to live"),
    };
    readings.insert(R::TtlP50Seconds, ttl);
    let without = match found.no_ttl {
        Some(share) => reading(share, source.to_owned()),
        None if found.met == 0 => none(no_keys),
        None => none(not_asked),
    };
    readings.insert(R::NoTtlRatio, without);
}

/// Exact where the interval has no width.
pub(super) fn reading(interval: Interval, source: String) -> Reading {
    if interval.low == interval.high {
        Reading::exact(interval.value, source, 0.0)
    } else {
        Reading::estimated(interval.value, interval.low, interval.high, source, 0.0)
    }
}
