//! OpenMetrics text, by the rules of Prometheus 2.42 (its `model/textparse/openmetricslex.l` and
//! `openmetricsparse.go`): single spaces only, times in seconds, exemplars, and `# EOF` at the end.

use std::borrow::Cow;

use super::MetricType;
use super::cursor::{Cursor, RawLabel, starts_label_name, starts_metric_name};
use super::entry::{Entry, RawSample, store};
use super::line_error::{LineError, Quoted};
use crate::prometheus::number;

/// Reads the entry that starts here and leaves the cursor behind its line's end. After an error the cursor
/// stands anywhere.
pub(super) fn entry<'p>(
    cursor: &mut Cursor<'p>,
    labels: &mut Vec<RawLabel<'p>>,
) -> Result<Entry<'p>, LineError<'p>> {
    match cursor.byte() {
        b'#' => meta(cursor),
        first if starts_metric_name(first) || first == b'{' => {
            let sample = sample(cursor, labels)?;
            // Without a line end the page lacks its `# EOF` too, which is found next.
            if !cursor.take(b'\n') && cursor.at < cursor.page.len() {
                return Err(cursor.expected("the end of the line"));
            }
            Ok(Entry::Sample(sample))
        }
        _ => Err(LineError::Start(cursor.rest_of_line())),
    }
}

fn meta<'p>(cursor: &mut Cursor<'p>) -> Result<Entry<'p>, LineError<'p>> {
    cursor.at += 1;
    if !cursor.take(b' ') {
        return Err(cursor.expected("a space after #"));
    }
    if cursor.take_word(b"EOF") {
        if cursor.take(b'\n') {
            cursor.skip_nul();
        }
        return match cursor.page.len() - cursor.at {
            0 => Ok(Entry::End { unread: 0 }),
            unread => Err(LineError::AfterEof(unread)),
        };
    }
    let keywords: [&[u8]; 3] = [b"HELP ", b"TYPE ", b"UNIT "];
    let Some(keyword) = keywords.into_iter().find(|word| cursor.take_word(word)) else {
        return Err(cursor.expected("HELP, TYPE, UNIT or EOF after #"));
    };
    let name = if cursor.byte() == b'"' {
        cursor.quoted(false, false)?
    } else {
        Cow::Borrowed(cursor.metric_name().ok_or_else(|| cursor.expected("a metric name"))?)
    };
    if !cursor.take(b' ') {
        return Err(cursor.expected("a space and a text after the metric name"));
    }
    let text = cursor.take_while(|byte| byte != b'\n');
    if !cursor.take(b'\n') {
        return Err(cursor.expected("a line end"));
    }
    match keyword {
        b"TYPE " => {
            let kind = MetricType::of_openmetrics(text).ok_or(LineError::Type(Quoted(text)))?;
            return Ok(Entry::Type { name, kind });
        }
        b"HELP " => {
            std::str::from_utf8(text).map_err(|_| LineError::HelpUtf8)?;
        }
        _ => {
            let stem = name.as_bytes().strip_suffix(text);
            let fits = text.is_empty() || stem.is_some_and(|stem| stem.ends_with(b"_"));
            if !fits {
                return Err(LineError::Unit(Quoted(text)));
            }
        }
    }
    // NUL bytes at the start of the next line count to this text, as in Prometheus's lexer.
    cursor.skip_nul();
    Ok(Entry::Nothing)
}

fn sample<'p>(
    cursor: &mut Cursor<'p>,
    labels: &mut Vec<RawLabel<'p>>,
) -> Result<RawSample<'p>, LineError<'p>> {
    labels.clear();
    let mut name = cursor.metric_name().map(Cow::Borrowed);
    let mut quoted_names = name.is_none();
    if cursor.take(b'{') {
        quoted_names |= label_set(cursor, Some(&mut name), labels)?;
        store(labels)?;
    }
    let name = name.ok_or(LineError::NoName)?;
    let value = token(cursor).ok_or_else(|| cursor.expected("one space and a value"))?;
    if number::parse(value).is_none() {
        return Err(LineError::Value(Quoted(value)));
    }
    let timestamp = if starts_exemplar(cursor) { None } else { time(cursor)? };
    if starts_exemplar(cursor) {
        cursor.at += b" # {".len();
        exemplar(cursor, &name)?;
    }
    Ok(RawSample { name, value, timestamp, quoted_names })
}

fn starts_exemplar(cursor: &Cursor<'_>) -> bool {
    cursor.slice(cursor.at, cursor.at + 4) == b" # {"
}

/// Takes a space and what follows it, up to the next space or the line's end.
fn token<'p>(cursor: &mut Cursor<'p>) -> Option<&'p [u8]> {
    let before = cursor.at;
    cursor.take(b' ').then_some(())?;
    let token = cursor.take_while(|byte| !matches!(byte, b' ' | b'\n' | 0));
    if token.is_empty() {
        cursor.at = before;
        return None;
    }
    Some(token)
}

fn time<'p>(cursor: &mut Cursor<'p>) -> Result<Option<i64>, LineError<'p>> {
    let Some(written) = token(cursor) else { return Ok(None) };
    number::seconds_to_millis(written).map(Some).ok_or(LineError::Time(Quoted(written)))
}

/// Checks an exemplar. It is no series of its own, so nothing of it is kept.
fn exemplar<'p>(cursor: &mut Cursor<'p>, name: &str) -> Result<(), LineError<'p>> {
    if !(name.ends_with("_total") || name.ends_with("_bucket")) {
        return Err(LineError::ExemplarName);
    }
    label_set(cursor, None, &mut Vec::new())?;
    let value = token(cursor).ok_or_else(|| cursor.expected("one space and the exemplar's value"))?;
    number::parse(value).ok_or(LineError::Value(Quoted(value)))?;
    time(cursor)?;
    Ok(())
}

/// Reads the labels behind the opening brace; `true` where a name stands in quotation marks. `metric` is
/// `None` in an exemplar, which has no name.
fn label_set<'p>(
    cursor: &mut Cursor<'p>,
    mut metric: Option<&mut Option<Cow<'p, str>>>,
    labels: &mut Vec<RawLabel<'p>>,
) -> Result<bool, LineError<'p>> {
    let of_series = metric.is_some();
    let mut quoted_names = false;
    let mut first = true;
    loop {
        if cursor.take(b'}') {
            return Ok(quoted_names);
        }
        if !first && !cursor.take(b',') {
            return Err(cursor.expected(", or } after a label"));
        }
        let name = match cursor.byte() {
            b'"' => {
                quoted_names = true;
                let name = cursor.quoted(false, false)?;
                if name.is_empty() {
                    return Err(LineError::NameUtf8(Quoted(b"\"\"")));
                }
                if matches!(cursor.byte(), b',' | b'}') {
                    let place = metric.as_deref_mut().ok_or(LineError::TwoNames)?;
                    if place.replace(name).is_some() {
                        return Err(LineError::TwoNames);
                    }
                    first = false;
                    continue;
                }
                name
            }
            byte if starts_label_name(byte) => Cow::Borrowed(cursor.label_name().unwrap_or_default()),
            _ if first => return Err(cursor.expected("a label name or }")),
            _ => return Err(cursor.expected("a label name")),
        };
        first = false;
        if !cursor.take(b'=') {
            return Err(cursor.expected("= after a label name"));
        }
        if cursor.byte() != b'"' {
            return Err(cursor.expected("a label value in quotation marks"));
        }
        let value = cursor.quoted(false, of_series)?;
        labels.push(RawLabel { name, value });
    }
}
