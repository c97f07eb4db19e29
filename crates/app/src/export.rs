//! The namespace table, whole, for other programs.

use std::fmt::Write as _;

use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::Snapshot;

use crate::wire::{ExportFormat, WireError, WireErrorCode};

/// Writes the table.
///
/// # Errors
/// When it can't be written as JSON, which would be a defect of ours.
pub fn table(snapshot: &Snapshot, format: ExportFormat) -> Result<String, WireError> {
    match format {
        ExportFormat::Json => serde_json::to_string_pretty(snapshot).map_err(|error| {
            WireError::new(WireErrorCode::Internal, format!("the snapshot can't be written: {error}"))
        }),
        ExportFormat::Csv => Ok(csv(snapshot)),
    }
}

/// RFC 4180: commas, CRLF, quotes doubled. An unknown figure is an empty field; its certainty stands beside it.
fn csv(snapshot: &Snapshot) -> String {
    let kinds: Vec<_> = ReadingKind::ALL.iter().filter(|spec| spec.per_namespace).collect();
    let mut text = String::from("namespace,title,hit_rate_target");
    for spec in &kinds {
        let name = name(spec.kind);
        // Writing to a string does not fail.
        let _ = write!(text, ",{name},{name}_low,{name}_high,{name}_certainty");
    }
    text.push_str("\r\n");
    for row in &snapshot.namespaces {
        let _ =
            write!(text, "{},{},{}", field(&row.namespace), field(&row.title), number(row.hit_rate_target));
        for spec in &kinds {
            match row.readings.get(&spec.kind) {
                Some(reading) => {
                    let _ = write!(
                        text,
                        ",{},{},{},{}",
                        number(reading.value),
                        number(reading.low),
                        number(reading.high),
                        name(reading.certainty)
                    );
                }
                None => text.push_str(",,,,unavailable"),
            }
        }
        text.push_str("\r\n");
    }
    text
}

/// A kind's or a certainty's serialised name.
fn name(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Quotes what needs it. A leading `=`, `+`, `-` or `@` gets an apostrophe, since spreadsheets would run it.
fn field(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_formulas_disarmed() {
        for (text, written) in [
            ("user:{id}", "user:{id}"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("line\nbreak", "\"line\nbreak\""),
            ("=cmd()", "'=cmd()"),
            ("@x,y", "\"'@x,y\""),
        ] {
            assert_eq!(field(text), written);
        }
    }
}
