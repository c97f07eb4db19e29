//! Hands samples to prometheus-parse in a form that it reads right, and puts back what was replaced.
//!
//! What the crate gets is one line a sample, without types (with them it would fold histograms and summaries
//! and change the order). The series, name and labels, is replaced by a token: of names the crate drops those
//! with `:` or in quotation marks, of labels it cuts or loses values with `,`, `=`, `}` or escapes, and whole
//! lines it reads at less than the 30 MB/s that are wanted. The timestamp is a token too, the line's number:
//! so every sample finds its series again, and a line that the crate left out is noticed and reported. A large
//! page is lexed on one thread while another runs the crate. `cargo bench -p cachescope-sources --bench
//! exposition` compares the two.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use cachescope_model::time::Timestamp;
use chrono::DateTime;
use prometheus_parse::{Scrape, Value};

use super::entry::RawSample;
use super::line_error::LineError;
use super::reader::Reader;
use super::stored::Stored;

/// Lines handed over at once: enough to make the call cheap, few enough to bound memory.
const CHUNK_LINES: usize = 2048;

/// Chunks under way between the two threads.
const CHUNKS_UNDER_WAY: usize = 4;

/// Pages from this size on are worth a second thread, in bytes.
const LARGE_PAGE_BYTES: usize = 512 * 1024;

/// Stands for every series; the line's number tells which.
const SERIES_TOKEN: &str = "s";

/// What a handed-over line does not say.
struct Withheld {
    /// Where the line starts in the page.
    place: usize,
    /// The series' place among the known ones.
    series: u32,
    at: Timestamp,
}

/// The crate, on a thread of its own from the first large part of a page on.
#[derive(Default)]
pub(super) struct Parser {
    second: Option<Second>,
}

/// The thread; it ends when the lines do.
struct Second {
    lines: SyncSender<Vec<String>>,
    values: Receiver<Vec<Option<f64>>>,
}

impl Second {
    /// `None`: there is no thread to be had.
    fn start() -> Option<Self> {
        let (lines, to_parse) = sync_channel::<Vec<String>>(CHUNKS_UNDER_WAY);
        let (to_us, values) = sync_channel(CHUNKS_UNDER_WAY);
        let parse = move || to_parse.into_iter().try_for_each(|lines| to_us.send(self::values(lines)));
        thread::Builder::new().name("exposition".to_owned()).spawn(parse).ok()?;
        Some(Self { lines, values })
    }
}

impl Parser {
    /// Reads a page, or a part of one, through prometheus-parse.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, stored: &mut Stored, fetched_at: Timestamp) {
        if self.second.is_none() && reader.page_bytes() >= LARGE_PAGE_BYTES {
            self.second = Second::start();
        }
        match &self.second {
            Some(second) => read_on_two_threads(second, reader, stored, fetched_at),
            None => {
                while let Some((lines, withheld)) = next_chunk(reader, stored, fetched_at) {
                    put_back(withheld, values(lines), reader, stored);
                }
            }
        }
    }
}

fn read_on_two_threads(second: &Second, reader: &mut Reader<'_>, stored: &mut Stored, fetched_at: Timestamp) {
    let mut under_way = VecDeque::new();
    loop {
        let chunk = next_chunk(reader, stored, fetched_at);
        let ended = chunk.is_none();
        if let Some((lines, withheld)) = chunk {
            // It can only fail where the parser panicked; then no values come back either.
            let _ = second.lines.send(lines);
            under_way.push_back(withheld);
        }
        while under_way.len() >= if ended { 1 } else { CHUNKS_UNDER_WAY } {
            let withheld = under_way.pop_front().unwrap_or_default();
            put_back(withheld, second.values.recv().unwrap_or_default(), reader, stored);
        }
        if ended {
            return;
        }
    }
}

/// The next lines for the crate, with what they withhold from it; `None` at the page's end.
fn next_chunk(
    reader: &mut Reader<'_>,
    stored: &mut Stored,
    fetched_at: Timestamp,
) -> Option<(Vec<String>, Vec<Withheld>)> {
    let mut lines = Vec::with_capacity(CHUNK_LINES);
    let mut withheld = Vec::with_capacity(CHUNK_LINES);
    while lines.len() < CHUNK_LINES {
        let Some((sample, labels, place)) = reader.next_sample() else { break };
        lines.push(hand_over(&sample, lines.len()));
        let series = stored.series(&sample.name, labels);
        withheld.push(Withheld { place, series, at: sample.timestamp.map_or(fetched_at, Timestamp) });
    }
    (!lines.is_empty()).then_some((lines, withheld))
}

/// What the crate reads in each line; `None` where it leaves one out.
fn values(lines: Vec<String>) -> Vec<Option<f64>> {
    let mut values = vec![None; lines.len()];
    let read = Scrape::parse_at(lines.into_iter().map(Ok), DateTime::UNIX_EPOCH);
    for sample in read.map(|scrape| scrape.samples).unwrap_or_default() {
        let number = usize::try_from(sample.timestamp.timestamp_millis()).unwrap_or(usize::MAX);
        if let (Some(place), Value::Untyped(value)) = (values.get_mut(number), sample.value) {
            *place = Some(value);
        }
    }
    values
}

fn put_back(withheld: Vec<Withheld>, values: Vec<Option<f64>>, reader: &mut Reader<'_>, stored: &mut Stored) {
    let values = values.into_iter().chain(std::iter::repeat(None));
    for (Withheld { place, series, at }, value) in withheld.into_iter().zip(values) {
        match value {
            Some(value) => stored.append(series, value, at),
            None => reader.bad(place, LineError::NotRead),
        }
    }
}

fn hand_over(sample: &RawSample<'_>, number: usize) -> String {
    let mut line = String::with_capacity(SERIES_TOKEN.len() + sample.value.len() + 8);
    let value = std::str::from_utf8(sample.value).unwrap_or_default();
    // Writing to a string can't fail.
    let _ = write!(line, "{SERIES_TOKEN} {value} {number}");
    line
}
