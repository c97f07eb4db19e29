//! The text format 0.0.4, by the rules of Prometheus 2.42 (its `model/textparse/promlex.l` and
//! `promparse.go`), which are wider than the format's description: blanks may stand almost anywhere inside a
//! line, commas between labels may be left out, a value may touch what stands before it (`up+1`), and a label
//! value may run over several lines.

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
    let start = cursor.at;
    cursor.skip_blanks();
    let entry = match cursor.byte() {
        b'\n' => Entry::Nothing,
        b'#' => comment(cursor)?,
        0 => return Ok(nul(cursor)),
        first if starts_metric_name(first) || first == b'{' => {
            if cursor.at != start {
                return Err(LineError::LeadingSpace);
            }
            Entry::Sample(sample(cursor, labels)?)
        }
        _ => return Err(LineError::Start(cursor.rest_of_line())),
    };
    if matches!(entry, Entry::End { .. }) {
        return Ok(entry);
    }
    if cursor.byte() != b'\n' {
        return Err(cursor.expected("the end of the line"));
    }
    cursor.at += 1;
    Ok(entry)
}

/// A NUL byte where a line or a comment's text could start ends the page, without an error in Prometheus.
fn nul<'p>(cursor: &Cursor<'p>) -> Entry<'p> {
    Entry::End { unread: cursor.page.len() - cursor.at - 1 }
}

fn comment<'p>(cursor: &mut Cursor<'p>) -> Result<Entry<'p>, LineError<'p>> {
    cursor.at += 1;
    let hash_alone = cursor.at;
    cursor.skip_blanks();
    let tight = cursor.at == hash_alone;
    if cursor.byte() == 0 {
        return Ok(nul(cursor));
    }
    let (help, kind) = if tight {
        (false, false)
    } else {
        (word_and_blank(cursor, b"HELP"), word_and_blank(cursor, b"TYPE"))
    };
    if !(help || kind) {
        // A NUL ends the page here too, but only where no blank follows the `#`.
        cursor.take_while(|byte| byte != b'\n' && !(tight && byte == 0));
        return Ok(if cursor.byte() == 0 { nul(cursor) } else { Entry::Nothing });
    }
    let name = if cursor.byte() == b'"' {
        cursor.quoted(false, false)?
    } else {
        Cow::Borrowed(cursor.metric_name().ok_or_else(|| cursor.expected("a metric name"))?)
    };
    if cursor.byte() == 0 {
        return Err(cursor.expected("the end of the line"));
    }
    let line = cursor.take_while(|byte| byte != b'\n');
    let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t' | 0));
    // The byte after the name is cut off, whatever it is.
    let text = if blank { &[] } else { line.get(1..).unwrap_or_default() };
    if kind {
        let kind = MetricType::of_text(text).ok_or(LineError::Type(Quoted(text)))?;
        return Ok(Entry::Type { name, kind });
    }
    std::str::from_utf8(text).map_err(|_| LineError::HelpUtf8)?;
    Ok(Entry::Nothing)
}

fn word_and_blank(cursor: &mut Cursor<'_>, word: &[u8]) -> bool {
    let before = cursor.at;
    if cursor.take_word(word) && matches!(cursor.byte(), b' ' | b'\t') {
        cursor.take_while(|byte| matches!(byte, b' ' | b'\t' | 0));
        return true;
    }
    cursor.at = before;
    false
}

fn sample<'p>(
    cursor: &mut Cursor<'p>,
    labels: &mut Vec<RawLabel<'p>>,
) -> Result<RawSample<'p>, LineError<'p>> {
    labels.clear();
    let mut name = cursor.metric_name().map(Cow::Borrowed);
    let mut quoted_names = name.is_none();
    cursor.skip_blanks();
    if cursor.take(b'{') {
        quoted_names |= label_set(cursor, &mut name, labels)?;
        cursor.skip_blanks();
        store(labels)?;
    }
    let name = name.ok_or(LineError::NoName)?;
    let value = cursor.take_while(|byte| !matches!(byte, b'{' | b' ' | b'\t' | b'\n' | 0));
    if value.is_empty() {
        return Err(cursor.expected("a value"));
    }
    if number::parse(value).is_none() {
        let cut = value.strip_suffix(b"\r").filter(|cut| number::parse(cut).is_some());
        return Err(cut.map_or(LineError::Value(Quoted(value)), |_| LineError::CarriageReturn));
    }
    cursor.skip_blanks();
    let digits = cursor.take_while(|byte| byte.is_ascii_digit());
    let timestamp = if digits.is_empty() {
        None
    } else {
        Some(number::millis(digits).ok_or(LineError::Time(Quoted(digits)))?)
    };
    cursor.skip_blanks();
    if cursor.byte() != b'\n' {
        let found =
            if digits.is_empty() { "a timestamp or the end of the line" } else { "the end of the line" };
        return Err(cursor.expected(found));
    }
    Ok(RawSample { name, value, timestamp, quoted_names })
}

/// Reads the labels behind the opening brace; `true` where a name stands in quotation marks.
fn label_set<'p>(
    cursor: &mut Cursor<'p>,
    metric: &mut Option<Cow<'p, str>>,
    labels: &mut Vec<RawLabel<'p>>,
) -> Result<bool, LineError<'p>> {
    let mut quoted_names = false;
    loop {
        cursor.skip_blanks();
        let name = match cursor.byte() {
            b'}' => {
                cursor.at += 1;
                return Ok(quoted_names);
            }
            b'"' => {
                quoted_names = true;
                let name = cursor.quoted(false, false)?;
                cursor.skip_blanks();
                if name.is_empty() {
                    return Err(LineError::NameUtf8(Quoted(b"\"\"")));
                }
                if matches!(cursor.byte(), b',' | b'}') {
                    if metric.replace(name).is_some() {
                        return Err(LineError::TwoNames);
                    }
                    cursor.take(b',');
                    continue;
                }
                name
            }
            first if starts_label_name(first) => Cow::Borrowed(cursor.label_name().unwrap_or_default()),
            _ => return Err(cursor.expected("a label name or }")),
        };
        cursor.skip_blanks();
        if !cursor.take(b'=') {
            return Err(cursor.expected("= after a label name"));
        }
        if matches!(cursor.byte(), b' ' | b'\t') {
            cursor.take_while(|byte| matches!(byte, b' ' | b'\t' | 0));
        }
        if cursor.byte() != b'"' {
            return Err(cursor.expected("a label value in quotation marks"));
        }
        let value = cursor.quoted(true, true)?;
        labels.push(RawLabel { name, value });
        cursor.skip_blanks();
        cursor.take(b',');
    }
}
