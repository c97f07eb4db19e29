//! Writing results to standard output.
//!
//! A reader that went away (`cachescope … | head`) is a normal end and no error.

use std::io::{ErrorKind, Write as _};

use cachescope_model::time::Timestamp;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use crate::failure::Failure;

/// Writes a text as it is.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a value as indented JSON and a line end.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    text(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// A point in time for people: `2026-11-27T14:02:10Z`; empty where it lies outside the calendar.
pub(crate) fn utc(at: Timestamp) -> String {
    DateTime::from_timestamp_millis(at.millis())
        .map_or_else(String::new, |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}
