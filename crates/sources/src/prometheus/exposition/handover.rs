//! Hands samples to prometheus-parse in a form that it reads right, and puts back what was replaced.
//!
//! What the crate gets is one line a sample, without types (with them it would fold histograms and summaries
//! and change the order). The series, name and labels, is replaced by a token: of names the crate drops those
//! with `:` or in quotation marks, of labels it cuts or loses values with `,`, `=`, `}` or escapes, and the
//! rest it reads at 8 to 13 MB/s, where all of it has to come at 30 MB/s at least. The timestamp is a token
//! too, the line's number: so every sample finds its series again, and a line that the crate left out is
//! noticed and reported. `cargo bench -p cachescope-sources --bench exposition` compares the two.

use std::fmt::Write;
use std::iter;

use cachescope_model::metrics::Sample;
use cachescope_model::time::Timestamp;
use chrono::DateTime;
use prometheus_parse::{Scrape, Value};

use super::cursor::RawLabel;
use super::entry::RawSample;
use super::line_error::LineError;
use super::reader::Reader;
use super::stored::Stored;

/// Lines handed over at once: enough to make the call cheap, few enough to bound memory.
const CHUNK_LINES: usize = 2048;

/// Stands for every series; the line's number tells which.
const SERIES_TOKEN: &str = "s";

/// What a handed-over line does not say.
struct Withheld {
    /// Where the line starts in the page.
    place: usize,
    /// The sample without its value.
    sample: Sample,
}

/// Reads the next lines of a page through prometheus-parse. `false`: the page is at its end.
pub(super) fn next_chunk(reader: &mut Reader<'_>, stored: &mut Stored, fetched_at: Timestamp) -> bool {
    let mut withheld = Vec::with_capacity(CHUNK_LINES);
    let lines = iter::from_fn(|| {
        let (sample, labels, place) = reader.next_sample()?;
        let line = hand_over(&sample, withheld.len());
        withheld.push(Withheld { place, sample: withhold(sample, labels, fetched_at) });
        Some(Ok(line))
    });
    let read = Scrape::parse_at(lines.take(CHUNK_LINES), DateTime::UNIX_EPOCH);
    let more = withheld.len() == CHUNK_LINES;

    let mut read = read.map(|scrape| scrape.samples).unwrap_or_default().into_iter().peekable();
    for (number, Withheld { place, mut sample }) in withheld.into_iter().enumerate() {
        let own = read.next_if(|read| read.timestamp.timestamp_millis() == number as i64);
        match own.map(|read| read.value) {
            Some(Value::Untyped(value)) => {
                sample.value = value;
                stored.append(sample);
            }
            _ => reader.bad(place, LineError::NotRead),
        }
    }
    more
}

fn hand_over(sample: &RawSample<'_>, number: usize) -> String {
    let mut line = String::with_capacity(SERIES_TOKEN.len() + sample.value.len() + 8);
    let value = std::str::from_utf8(sample.value).unwrap_or_default();
    // Writing to a string can't fail.
    let _ = write!(line, "{SERIES_TOKEN} {value} {number}");
    line
}

fn withhold(sample: RawSample<'_>, labels: &mut Vec<RawLabel<'_>>, fetched_at: Timestamp) -> Sample {
    Sample {
        name: sample.name.into_owned(),
        labels: labels.drain(..).map(|label| (label.name.into_owned(), label.value.into_owned())).collect(),
        value: f64::NAN,
        at: sample.timestamp.map_or(fetched_at, Timestamp),
    }
}
