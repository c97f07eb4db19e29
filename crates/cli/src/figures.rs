//! Figures for a terminal.

use cachescope_model::reading::{Certainty, Reading};
use cachescope_model::reading_kind::{ReadingKind, Unit};
use cachescope_model::size;
use cachescope_model::snapshot::{NamespaceOrigin, NamespaceSnapshot};

use crate::table::{Align, Table};

/// An empty table with a column a reading, after one for the namespace.
pub(crate) fn table(columns: &[ReadingKind]) -> Table {
    let mut headings = vec![("NAMESPACE", Align::Left)];
    headings.extend(columns.iter().map(|kind| (kind.spec().title, Align::Right)));
    Table::new(&headings)
}

/// A row of such a table, from the reading of each kind.
pub(crate) fn row(
    name: String,
    columns: &[ReadingKind],
    of: impl Fn(&ReadingKind) -> Option<Reading>,
) -> Vec<String> {
    let cells = columns.iter().map(|kind| reading(of(kind).as_ref(), kind.spec().unit));
    std::iter::once(name).chain(cells).collect()
}

/// How a namespace is called in a table: by its template.
pub(crate) fn name(namespace: &NamespaceSnapshot) -> String {
    match namespace.origin {
        NamespaceOrigin::Other => "(everything else)".to_owned(),
        _ => namespace.namespace.clone(),
    }
}

/// A reading in its unit, with a mark of its certainty: nothing for exact, `±` for estimated, `~` for modelled,
/// a dash for unavailable.
pub(crate) fn reading(reading: Option<&Reading>, unit: Unit) -> String {
    let Some((reading, value)) = reading.and_then(|reading| Some((reading, reading.value?))) else {
        return "–".to_owned();
    };
    let figure = value_in(value, unit);
    match reading.certainty {
        Certainty::Estimated => match (reading.low, reading.high) {
            (Some(low), Some(high)) => {
                let half = (high - low).max(0.0) / 2.0;
                format!("{figure} ±{}", spread(half, unit))
            }
            _ => format!("{figure} ±?"),
        },
        Certainty::Modelled => format!("~{figure}"),
        Certainty::Exact | Certainty::Unavailable => figure,
    }
}

fn spread(half: f64, unit: Unit) -> String {
    match unit {
        Unit::Ratio => format!("{:.1}", half * 100.0),
        _ => value_in(half, unit),
    }
}

/// A value in its unit.
pub(crate) fn value_in(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ratio => format!("{:.1} %", value * 100.0),
        Unit::PerSecond => format!("{}/s", thousands(value)),
        Unit::Seconds => seconds(value),
        Unit::Bytes => size::format(value),
        Unit::Count => thousands(value),
    }
}

fn thousands(value: f64) -> String {
    match value.abs() {
        size if size >= 1e9 => format!("{:.2} G", value / 1e9),
        size if size >= 1e6 => format!("{:.2} M", value / 1e6),
        size if size >= 1e4 => format!("{:.1} k", value / 1e3),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn seconds(value: f64) -> String {
    match value.abs() {
        size if size >= 86_400.0 => format!("{:.1} d", value / 86_400.0),
        size if size >= 3_600.0 => format!("{:.1} h", value / 3_600.0),
        size if size >= 60.0 => format!("{:.1} min", value / 60.0),
        size if size >= 1.0 => format!("{value:.1} s"),
        size if size >= 1e-3 => format!("{:.2} ms", value * 1e3),
        _ => format!("{:.0} µs", value * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_carry_their_unit_and_their_certainty() {
        let exact = Reading::exact(0.882, "x", 60.0);
        let estimated = Reading::estimated(0.882, 0.872, 0.892, "x", 60.0);
        let modelled = Reading::modelled(0.0039, "assumed", "x", 60.0);
        let unknown = Reading::unavailable("why");
        for (written, expected) in [
            (reading(Some(&exact), Unit::Ratio), "88.2 %"),
            (reading(Some(&estimated), Unit::Ratio), "88.2 % ±1.0"),
            (reading(Some(&modelled), Unit::Seconds), "~3.90 ms"),
            (reading(Some(&unknown), Unit::Ratio), "–"),
            (reading(None, Unit::Count), "–"),
            (value_in(212_000_000.0, Unit::Bytes), "202 MB"),
            (value_in(12_480.0, Unit::Count), "12.5 k"),
            (value_in(0.5, Unit::PerSecond), "0.50/s"),
            (value_in(41.0 * 60.0, Unit::Seconds), "41.0 min"),
        ] {
            assert_eq!(written, expected);
        }
    }
}
