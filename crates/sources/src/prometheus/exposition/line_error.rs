//! What is wrong with a line.

use std::fmt;

/// How much of a page is quoted in an error.
const QUOTED_BYTES: usize = 60;

/// A piece of the page, quoted for people: cut short, and readable whatever its bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quoted<'p>(pub(super) &'p [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("the end of the line");
        }
        let cut = &self.0[..self.0.len().min(QUOTED_BYTES)];
        let more = if cut.len() < self.0.len() { "…" } else { "" };
        write!(formatter, "{:?}{more}", String::from_utf8_lossy(cut))
    }
}

/// Why a line is not what Prometheus accepts. Made for every bad line, written out only for those shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError<'p> {
    /// Something else stands where this should.
    #[error("{what} expected, found {found}")]
    Expected { what: &'static str, found: Quoted<'p> },
    #[error("a metric name expected at the start of the line, found {0}")]
    Start(Quoted<'p>),
    #[error("a space before the metric name; Prometheus takes it for a part of the name")]
    LeadingSpace,
    #[error("the line ends with a carriage return; lines must end with \\n alone")]
    CarriageReturn,
    #[error("the value {0} is not a number")]
    Value(Quoted<'p>),
    #[error("the timestamp {0} is not a time")]
    Time(Quoted<'p>),
    #[error("the quotation mark of the label value {0} is not closed")]
    Unclosed(Quoted<'p>),
    #[error("a quotation mark is not closed in this line")]
    RunsOn,
    #[error("the label value {0} is not valid UTF-8")]
    ValueUtf8(Quoted<'p>),
    #[error("the name {0} is empty or not valid UTF-8")]
    NameUtf8(Quoted<'p>),
    #[error("the help text is not valid UTF-8")]
    HelpUtf8,
    #[error("{0} is not a metric type of this format")]
    Type(Quoted<'p>),
    #[error("the unit {0} is not the end of the metric's name")]
    Unit(Quoted<'p>),
    #[error("the label {0} stands there twice")]
    DuplicateLabel(Quoted<'p>),
    #[error("the metric has no name")]
    NoName,
    #[error("the metric has two names")]
    TwoNames,
    #[error("an exemplar is only allowed on names that end with _total or _bucket")]
    ExemplarName,
    #[error("the page does not end with # EOF, as OpenMetrics demands")]
    NoEof,
    #[error("{0} bytes follow # EOF and are not read")]
    AfterEof(usize),
    #[error("the parser does not read this line")]
    NotRead,
}
