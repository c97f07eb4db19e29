//! Exposition pages, read to exactly the series that Prometheus 2.42 stores from them.
//!
//! The parser is the crate prometheus-parse, which on its own loses and changes data (names with `:`, `m{}`,
//! label values with `,`, `=`, `}` or escapes, histograms out of order, malformed lines without a word). So a
//! lexer of ours stands in front of it: it understands every line by Prometheus's own rules (`text`,
//! `openmetrics`), refuses what Prometheus refuses, and hands the crate only what it reads right, with
//! tokens in place of the rest, which are put back afterwards (`handover`).
//!
//! Two things differ from Prometheus on purpose. A page with a bad line is dropped whole by Prometheus; here
//! its good series are shown, with the bad lines beside them ([`Page::bad_lines`]): an engineer on call sees
//! more of a broken page, and that it is broken. And names in quotation marks (`{"http.requests"}`), which
//! Prometheus reads since 3.0, are read and counted ([`Page::quoted_names`]), while 2.42 drops such a page.

mod cursor;
mod entry;
mod handover;
mod incoming;
mod line_error;
mod openmetrics;
mod reader;
mod stored;
mod text;

use std::collections::BTreeMap;

use cachescope_model::metrics::Sample;
use cachescope_model::time::Timestamp;

pub use self::incoming::Incoming;
pub use self::stored::KnownSeries;

/// The largest page that is fetched, in bytes: a page above it is refused, so that memory stays bounded.
pub const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// How many bad lines are kept with their errors; more are only counted.
pub const MAX_BAD_LINES_KEPT: usize = 100;

/// What a page holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Its samples in the page's order, as Prometheus stores them: histograms and summaries as their component
    /// series, labels sorted, without empty ones, the first of two samples of one series and time.
    pub samples: Vec<Sample>,
    /// The first [`MAX_BAD_LINES_KEPT`] lines that can't be read.
    pub bad_lines: Vec<BadLine>,
    /// How many lines can't be read. Where it is not 0, Prometheus itself drops the whole page.
    pub bad_line_count: u64,
    /// Samples left out because the page has the same series with the same or a later time before them, as
    /// Prometheus leaves them out.
    pub duplicates: u64,
    /// Bytes behind a NUL byte at a line's start, where Prometheus stops reading without a word.
    pub unread_bytes: usize,
    /// Samples left out because their metric's name was not accepted.
    pub not_accepted: u64,
    /// Samples with a name in quotation marks. Where it is not 0, a Prometheus before 3.0 drops the whole page.
    pub quoted_names: u64,
    /// The types that the page declares, by metric name.
    pub types: BTreeMap<String, MetricType>,
    /// What it is instead of an exposition page; its one bad line says so.
    unreadable: Option<Unreadable>,
}

/// What stands where an exposition page was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreadable {
    Html,
    Binary,
}

impl Page {
    /// Whether this is no exposition page at all, but HTML or Prometheus's binary format: then its one bad
    /// line says so.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.unreadable.is_some()
    }

    /// Whether this is a page for people.
    #[must_use]
    pub fn is_html(&self) -> bool {
        self.unreadable == Some(Unreadable::Html)
    }

    fn unreadable(what: Unreadable) -> Self {
        let error = match what {
            Unreadable::Html => "that is an HTML page, not metrics: try the address that ends with /metrics",
            Unreadable::Binary => "that page is in Prometheus's binary format: ask for text/plain",
        };
        Self {
            bad_lines: vec![BadLine { line: 1, error: error.to_owned() }],
            bad_line_count: 1,
            unreadable: Some(what),
            ..Self::default()
        }
    }
}

/// A line that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub error: String,
}

/// A metric's type, by its `# TYPE` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricType {
    /// A count that only grows.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Counts by bucket.
    Histogram,
    /// Counts by bucket that may shrink (OpenMetrics).
    GaugeHistogram,
    /// Quantiles.
    Summary,
    /// Facts as labels (OpenMetrics).
    Info,
    /// One of several states (OpenMetrics).
    StateSet,
    /// `untyped` in the text format, `unknown` in OpenMetrics.
    Unknown,
}

impl MetricType {
    fn of_text(written: &[u8]) -> Option<Self> {
        Some(match written {
            b"counter" => Self::Counter,
            b"gauge" => Self::Gauge,
            b"histogram" => Self::Histogram,
            b"summary" => Self::Summary,
            b"untyped" => Self::Unknown,
            _ => return None,
        })
    }

    fn of_openmetrics(written: &[u8]) -> Option<Self> {
        Some(match written {
            b"counter" => Self::Counter,
            b"gauge" => Self::Gauge,
            b"histogram" => Self::Histogram,
            b"gaugehistogram" => Self::GaugeHistogram,
            b"summary" => Self::Summary,
            b"info" => Self::Info,
            b"stateset" => Self::StateSet,
            b"unknown" => Self::Unknown,
            _ => return None,
        })
    }
}

/// The language a page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Text format 0.0.4, and whatever does not call itself anything else.
    Text,
    /// OpenMetrics text.
    OpenMetrics,
    /// Prometheus's protocol buffers.
    Binary,
}

impl Format {
    /// By the page's `Content-Type`, as Prometheus chooses: what it can't read counts as text.
    fn of(content_type: Option<&str>) -> Self {
        let mut pieces = content_type.unwrap_or_default().split(';');
        let media_type = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut parameters = pieces.map(str::trim).peekable();
        while let Some(parameter) = parameters.next() {
            let last_and_empty = parameter.is_empty() && parameters.peek().is_none();
            if !last_and_empty && !parameter.contains('=') {
                return Self::Text;
            }
        }
        match media_type.as_str() {
            "application/openmetrics-text" => Self::OpenMetrics,
            "application/vnd.google.protobuf" => Self::Binary,
            _ => Self::Text,
        }
    }
}

/// Whether this is a page for people: what stands at a web application's own address, or its login.
#[must_use]
pub fn is_html(page: &[u8]) -> bool {
    page.trim_ascii_start().strip_prefix("\u{feff}".as_bytes()).unwrap_or(page.trim_ascii_start()).first()
        == Some(&b'<')
}

/// Reads a page. `content_type` is the answer's header, `fetched_at` the time of samples that carry none.
#[must_use]
pub fn parse(page: &[u8], content_type: Option<&str>, fetched_at: Timestamp) -> Page {
    parse_accepted(page, content_type, fetched_at, &|_| true)
}

/// Reads a page, keeping only the series whose metric name is accepted; lines of others are checked all the
/// same.
#[must_use]
pub fn parse_accepted(
    page: &[u8],
    content_type: Option<&str>,
    fetched_at: Timestamp,
    accept: &dyn Fn(&str) -> bool,
) -> Page {
    let mut incoming = Incoming::new(content_type, fetched_at);
    incoming.read(page, false, accept);
    incoming.into_page()
}

#[cfg(test)]
mod tests;
