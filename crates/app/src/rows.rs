//! The namespace table: filtered, sorted and paged here, so that the page holds only the rows it shows.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use cachescope_model::reading::{Certainty, Reading};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::{NamespaceOrigin, NamespaceSnapshot, Snapshot};

use crate::filter::{Filter, FilterError};
use crate::wire::{Cell, Row, RowPage, RowQuery, RowSort};

/// The columns of the table, in the order of a row's cells.
pub const COLUMNS: [ReadingKind; 10] = [
    ReadingKind::HitRate,
    ReadingKind::LookupsPerSecond,
    ReadingKind::MissesPerSecond,
    ReadingKind::LatencyP99Seconds,
    ReadingKind::MemoryBytes,
    ReadingKind::Keys,
    ReadingKind::EvictionsPerSecond,
    ReadingKind::ExpirationsPerSecond,
    ReadingKind::TtlP50Seconds,
    ReadingKind::NoTtlRatio,
];

/// Most rows of one page.
pub const MOST_ROWS: u32 = 200;

/// Pins that are looked at; a page that sends more has its other ones ignored.
const MOST_PINS: usize = 200;

/// Builds one page of the table. Spark lines and alerts are left empty: they need what the caller has.
///
/// # Errors
/// What is wrong with the filter.
pub fn page(snapshot: &Snapshot, query: &RowQuery) -> Result<RowPage, FilterError> {
    let filter = Filter::parse(&query.filter)?;
    let mut rows: Vec<&NamespaceSnapshot> =
        snapshot.namespaces.iter().filter(|row| filter.keeps(row)).collect();
    let matching = count(rows.len());
    sort(&mut rows, query.sort, query.descending);
    if !query.pinned.is_empty() {
        let pinned: HashSet<&str> = query.pinned.iter().take(MOST_PINS).map(String::as_str).collect();
        rows.sort_by_key(|row| !pinned.contains(row.namespace.as_str())); // stable: each part keeps its order
    }
    let mut reasons = Reasons::default();
    let rows = rows
        .into_iter()
        .skip(query.offset as usize)
        .take(query.limit.min(MOST_ROWS) as usize)
        .map(|row| Row {
            namespace: row.namespace.clone(),
            title: row.title.clone(),
            origin: row.origin,
            documented_ttl_seconds: row.documented_ttl_seconds,
            hit_rate_target: row.hit_rate_target,
            below_target: below_target(row),
            cells: COLUMNS.iter().map(|kind| cell(row.readings.get(kind).as_ref(), &mut reasons)).collect(),
            miss_causes: row.miss_causes,
            alerts: 0,
            worst_alert: None,
            spark: Vec::new(),
        })
        .collect();
    Ok(RowPage {
        at: snapshot.at,
        matching,
        total: count(snapshot.namespaces.len()),
        columns: COLUMNS.to_vec(),
        rows,
        reasons: reasons.texts,
    })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The value of a reading, or `None`.
pub(crate) fn value(row: &NamespaceSnapshot, kind: ReadingKind) -> Option<f64> {
    row.readings.value(kind).filter(|value| value.is_finite())
}

/// Whether the hit rate is certainly below its target: the whole interval is.
pub(crate) fn below_target(row: &NamespaceSnapshot) -> bool {
    let Some(target) = row.hit_rate_target else { return false };
    row.readings
        .get(&ReadingKind::HitRate)
        .and_then(|reading| reading.high.or(reading.value))
        .is_some_and(|high| high < target)
}

/// How much a row needs attention. Rows below their target come first, by the misses a second that meeting it
/// would save; then the others, by their misses a second; then those with keys, then the silent ones.
fn trouble(row: &NamespaceSnapshot) -> (u8, f64) {
    let lookups = value(row, ReadingKind::LookupsPerSecond).unwrap_or(0.0);
    let misses = value(row, ReadingKind::MissesPerSecond).unwrap_or(0.0);
    let evictions = value(row, ReadingKind::EvictionsPerSecond).unwrap_or(0.0);
    if below_target(row) {
        let rate = value(row, ReadingKind::HitRate).unwrap_or(0.0);
        let short = (row.hit_rate_target.unwrap_or(0.0) - rate).max(0.0);
        return (3, short * lookups);
    }
    if misses > 0.0 || evictions > 0.0 {
        return (2, misses + evictions);
    }
    if lookups > 0.0 {
        return (1, lookups);
    }
    (0, value(row, ReadingKind::MemoryBytes).unwrap_or(0.0))
}

fn sort(rows: &mut [&NamespaceSnapshot], by: RowSort, descending: bool) {
    let direct = |ordering: Ordering| if descending { ordering.reverse() } else { ordering };
    match by {
        RowSort::Trouble => by_figure(rows, trouble, |(a_rank, a_much), (b_rank, b_much)| {
            direct(a_rank.cmp(b_rank).then(a_much.total_cmp(b_much)))
        }),
        RowSort::Name => rows.sort_by(|a, b| {
            // The remainder has no name of its own and comes last either way.
            let last = |row: &NamespaceSnapshot| row.origin == NamespaceOrigin::Other;
            last(a).cmp(&last(b)).then_with(|| {
                direct(a.title.to_lowercase().cmp(&b.title.to_lowercase()))
                    .then_with(|| a.namespace.cmp(&b.namespace))
            })
        }),
        RowSort::Reading { kind } => by_figure(
            rows,
            |row| value(row, kind),
            |a, b| match (a, b) {
                (Some(a), Some(b)) => direct(a.total_cmp(b)),
                // An unknown is neither large nor small: it comes last whichever way the column is sorted.
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            },
        ),
    }
}

/// Sorts by a figure of each row, looked up once; rows with the same figure by their names.
fn by_figure<F>(
    rows: &mut [&NamespaceSnapshot],
    figure: impl Fn(&NamespaceSnapshot) -> F,
    compare: impl Fn(&F, &F) -> Ordering,
) {
    let mut figures: Vec<(F, &NamespaceSnapshot)> = rows.iter().map(|row| (figure(row), *row)).collect();
    figures
        .sort_by(|(a, a_row), (b, b_row)| compare(a, b).then_with(|| a_row.namespace.cmp(&b_row.namespace)));
    for (place, (_, row)) in rows.iter_mut().zip(figures) {
        *place = row;
    }
}

/// The reasons of a page, each once: thousands of cells share a handful of sentences.
#[derive(Default)]
struct Reasons {
    texts: Vec<String>,
    places: HashMap<String, u16>,
}

impl Reasons {
    fn place(&mut self, text: &str) -> Option<u16> {
        if let Some(place) = self.places.get(text) {
            return Some(*place);
        }
        let place = u16::try_from(self.texts.len()).ok()?;
        self.texts.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        Some(place)
    }
}

fn cell(reading: Option<&Reading>, reasons: &mut Reasons) -> Cell {
    let Some(reading) = reading else {
        let reason = reasons.place("This figure is not taken for namespaces.");
        return Cell { value: None, certainty: Certainty::Unavailable, low: None, high: None, reason };
    };
    let estimated = reading.certainty == Certainty::Estimated;
    Cell {
        value: reading.value.and_then(five_digits),
        certainty: reading.certainty,
        low: reading.low.filter(|_| estimated).and_then(five_digits),
        high: reading.high.filter(|_| estimated).and_then(five_digits),
        reason: reading.reason.as_deref().and_then(|text| reasons.place(text)),
    }
}

/// Rounds to five significant digits: more than a table shows, and a third of the bytes. Integers below 2^53
/// stay as they are, since they take no decimals. `None` for NaN and infinities, which JSON can't carry.
pub(crate) fn five_digits(value: f64) -> Option<f64> {
    if !value.is_finite() {
        return None;
    }
    if value == 0.0 || value.fract() == 0.0 {
        return Some(value);
    }
    let scale = 10f64.powi(4 - value.abs().log10().floor() as i32);
    let rounded = (value * scale).round() / scale;
    Some(if rounded.is_finite() { rounded } else { value })
}

#[cfg(test)]
mod tests {
    use cachescope_model::deployment::DeploymentId;
    use cachescope_model::reading::Readings;
    use cachescope_model::row_readings::RowReadings;
    use cachescope_model::snapshot::MissCauses;
    use cachescope_model::time::Timestamp;
    use cachescope_model::window::Window;

    use super::*;

    fn namespace(name: &str, hit_rate: Option<f64>, target: Option<f64>, lookups: f64) -> NamespaceSnapshot {
        let mut readings = Readings::new();
        let rate = hit_rate.map_or_else(
            || Reading::unavailable("no traffic in the last 60 s"),
            |rate| Reading::exact(rate, "application counters", 60.0),
        );
        readings.insert(ReadingKind::HitRate, rate);
        readings.insert(ReadingKind::LookupsPerSecond, Reading::exact(lookups, "x", 60.0));
        let misses = hit_rate.map_or(0.0, |rate| (1.0 - rate) * lookups);
        readings.insert(ReadingKind::MissesPerSecond, Reading::exact(misses, "x", 60.0));
        NamespaceSnapshot {
            namespace: format!("{name}:{{id}}"),
            title: name.to_owned(),
            origin: NamespaceOrigin::Documented,
            documented_ttl_seconds: None,
            hit_rate_target: target,
            readings: RowReadings::from(&readings),
            miss_causes: MissCauses::default(),
        }
    }

    fn snapshot(namespaces: Vec<NamespaceSnapshot>) -> Snapshot {
        Snapshot {
            at: Timestamp(0),
            window: Window::OneMinute,
            instance: Readings::new(),
            miss_causes: MissCauses::default(),
            nodes: Vec::new(),
            namespaces,
            layers: Vec::new(),
            by_node: Vec::new(),
            signals: Default::default(),
            sources: Vec::new(),
            control_totals: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn query(filter: &str, sort: RowSort, descending: bool, offset: u32, limit: u32) -> RowQuery {
        RowQuery {
            deployment: DeploymentId("d".to_owned()),
            window: Window::OneMinute,
            filter: filter.to_owned(),
            sort,
            descending,
            offset,
            limit,
            sparks: false,
            pinned: Vec::new(),
        }
    }

    fn page(snapshot: &Snapshot, query: &RowQuery) -> RowPage {
        super::page(snapshot, query).expect("a filter that can be read")
    }

    fn names(page: &RowPage) -> Vec<&str> {
        page.rows.iter().map(|row| row.title.as_str()).collect()
    }

    fn mixed() -> Snapshot {
        snapshot(vec![
            namespace("calm", Some(0.99), Some(0.95), 1000.0),
            namespace("short-but-quiet", Some(0.50), Some(0.95), 1.0),
            namespace("short-and-busy", Some(0.90), Some(0.95), 500.0),
            namespace("silent", None, Some(0.95), 0.0),
            namespace("untargeted", Some(0.40), None, 100.0),
        ])
    }

    #[test]
    fn trouble_puts_the_most_avoidable_misses_first_and_silence_last() {
        let page = page(&mixed(), &query("", RowSort::Trouble, true, 0, 50));
        assert_eq!(names(&page), ["short-and-busy", "short-but-quiet", "untargeted", "calm", "silent"]);
        assert!(page.rows[0].below_target && !page.rows[2].below_target);
    }

    fn hit_rate(reading: Reading) -> RowReadings {
        RowReadings::from_iter([(ReadingKind::HitRate, reading)])
    }

    #[test]
    fn an_estimate_is_below_its_target_only_with_its_whole_interval() {
        let mut row = namespace("n", Some(0.94), Some(0.95), 10.0);
        row.readings = hit_rate(Reading::estimated(0.94, 0.92, 0.96, "x", 60.0));
        assert!(!below_target(&row));
        row.readings = hit_rate(Reading::estimated(0.94, 0.93, 0.949, "x", 60.0));
        assert!(below_target(&row));
    }

    #[test]
    fn rows_without_a_figure_come_last_whichever_way_the_column_is_sorted() {
        for descending in [true, false] {
            let sort = RowSort::Reading { kind: ReadingKind::HitRate };
            let page = page(&mixed(), &query("", sort, descending, 0, 50));
            assert_eq!(page.rows.last().map(|row| row.title.as_str()), Some("silent"));
        }
    }

    #[test]
    fn filter_and_page_count_what_matches_and_what_there_is() {
        let page = page(&mixed(), &query("SHORT", RowSort::Name, false, 1, 1));
        assert_eq!((page.matching, page.total), (2, 5));
        assert_eq!(names(&page), ["short-but-quiet"]);
    }

    #[test]
    fn pinned_rows_stand_first_in_the_order_of_the_others() {
        let mut query = query("", RowSort::Trouble, true, 0, 50);
        query.pinned = ["silent:{id}", "calm:{id}", "gone:{id}"].map(str::to_owned).to_vec();
        let page = page(&mixed(), &query);
        assert_eq!(names(&page)[..3], ["calm", "silent", "short-and-busy"]);
        assert_eq!(page.matching, 5);
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_an_error_and_not_an_empty_table() {
        let refused = super::page(&mixed(), &query("hit<", RowSort::Trouble, true, 0, 50));
        assert!(refused.is_err());
    }

    #[test]
    fn a_reason_is_sent_once_and_cells_point_to_it() {
        let snapshot = snapshot(vec![namespace("a", None, None, 0.0), namespace("b", None, None, 0.0)]);
        let page = page(&snapshot, &query("", RowSort::Name, false, 0, 50));
        let told: Vec<_> = page.rows.iter().map(|row| row.cells[0].reason).collect();
        assert_eq!(told[0], told[1]);
        let place = usize::from(told[0].expect("an unavailable figure says why"));
        assert_eq!(page.reasons[place], "no traffic in the last 60 s");
    }

    #[test]
    fn figures_keep_five_digits_and_integers_all_of_them() {
        for (value, kept) in [
            (0.123_456_78, Some(0.12346)),
            (9.999_999, Some(10.0)),
            (123_456_789.0, Some(123_456_789.0)),
            (0.0, Some(0.0)),
            (1.234_567e-9, Some(1.2346e-9)),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (f64::MIN_POSITIVE / 2.0, Some(f64::MIN_POSITIVE / 2.0)),
        ] {
            let got = five_digits(value);
            match (got, kept) {
                (Some(got), Some(kept)) => assert!((got - kept).abs() <= kept.abs() * 1e-4, "{value}: {got}"),
                other => assert_eq!(other, (kept, kept), "{value}"),
            }
        }
    }
}
