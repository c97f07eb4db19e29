//! What a page consists of, before prometheus-parse sees it.

use std::borrow::Cow;

use super::MetricType;
use super::cursor::RawLabel;
use super::line_error::{LineError, Quoted};

/// One entry of a page.
#[derive(Debug)]
pub(super) enum Entry<'p> {
    /// A blank line, a comment, a help text or a unit.
    Nothing,
    /// A metric's type.
    Type { name: Cow<'p, str>, kind: MetricType },
    /// A sample; its labels are in the buffer that the reader was given.
    Sample(RawSample<'p>),
    /// The page ends here, although bytes may follow.
    End { unread: usize },
}

/// A sample as the page has it. Its value is known to be a number.
#[derive(Debug)]
pub(super) struct RawSample<'p> {
    pub(super) name: Cow<'p, str>,
    pub(super) value: &'p [u8],
    /// Milliseconds since the Unix epoch.
    pub(super) timestamp: Option<i64>,
    /// Whether a name stands in quotation marks, which Prometheus reads since 3.0 only.
    pub(super) quoted_names: bool,
}

/// Makes the labels what Prometheus would store: empty ones are absent ones, names are sorted and unique.
///
/// Where a name occurs twice and one value is empty, both go: an empty value takes the label away
/// (`labels.Builder` in 2.42).
pub(super) fn store<'p>(labels: &mut Vec<RawLabel<'p>>) -> Result<(), LineError<'p>> {
    if labels.iter().any(|label| label.value.is_empty()) {
        let mut taken_away: Vec<Cow<'p, str>> = Vec::new();
        for label in labels.iter().filter(|label| label.value.is_empty()) {
            taken_away.push(label.name.clone());
        }
        if taken_away.iter().any(|name| name == "__name__") {
            return Err(LineError::NoName);
        }
        labels.retain(|label| !taken_away.contains(&label.name));
    }
    if !labels.is_sorted_by(|one, other| one.name < other.name) {
        labels.sort_by(|one, other| one.name.cmp(&other.name));
        if let Some(pair) = labels.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(LineError::DuplicateLabel(match &pair[0].name {
                Cow::Borrowed(name) => Quoted(name.as_bytes()),
                Cow::Owned(_) => Quoted(b"in quotation marks"),
            }));
        }
    }
    if labels.iter().any(|label| label.name == "__name__") {
        return Err(LineError::DuplicateLabel(Quoted(b"__name__")));
    }
    Ok(())
}
