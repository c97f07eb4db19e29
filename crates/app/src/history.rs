//! Histories and spark lines.

use cachescope_engine::HistoryQuery;
use cachescope_model::misses::CausePoint;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::time::Timestamp;

use crate::session::Session;
use crate::wire::{HistorySeries, RowPage};

/// What a spark line covers.
const SPARK_SECONDS: u32 = 900;

/// Points of a spark line: one every twenty seconds.
const SPARK_POINTS: u32 = 45;

fn query(
    now: Timestamp,
    namespace: Option<&str>,
    kind: ReadingKind,
    seconds: u32,
    points: u32,
) -> HistoryQuery {
    HistoryQuery {
        namespace: namespace.map(str::to_owned),
        kind,
        from: now.plus_millis(-i64::from(seconds) * 1000),
        to: now,
        points: points as usize,
    }
}

/// The history of some readings. Spans and counts outside their range are brought into it.
pub(crate) fn series(
    session: &Session,
    namespace: Option<&str>,
    kinds: &[ReadingKind],
    seconds: u32,
    points: u32,
) -> Vec<HistorySeries> {
    let (seconds, points) = (seconds.clamp(10, 86_400), points.clamp(2, 1_000));
    let now = session.now();
    kinds
        .iter()
        .take(ReadingKind::ALL.len())
        .map(|kind| HistorySeries {
            kind: *kind,
            points: session.history(&query(now, namespace, *kind, seconds, points)),
        })
        .collect()
}

/// Why keys missed, over time. Spans and counts outside their range are brought into it.
pub(crate) fn causes(
    session: &Session,
    namespace: Option<&str>,
    seconds: u32,
    points: u32,
) -> Vec<CausePoint> {
    let (seconds, points) = (seconds.clamp(10, 86_400), points.clamp(2, 1_000));
    let now = session.now();
    session.cause_history(namespace, now.plus_millis(-i64::from(seconds) * 1000), now, points as usize)
}

/// Adds hit-rate spark lines to the rows of a page.
pub(crate) fn add_sparks(session: &Session, page: &mut RowPage) {
    let now = session.now();
    for row in &mut page.rows {
        let query = query(now, Some(&row.namespace), ReadingKind::HitRate, SPARK_SECONDS, SPARK_POINTS);
        row.spark = session
            .history(&query)
            .into_iter()
            // A spark line is twenty pixels high: four digits are more than it shows.
            .map(|point| point.value.map(|value| ((value * 1e4).round() / 1e4) as f32))
            .collect();
    }
}
