//! Durations as people write them in strategy files: `30s`, `15m`, `24h`, `7d`, `1h30m`.

use std::time::Duration;

/// What is wrong with a written duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration: write a number with ms, s, m, h, d, w or y, such as 30s, 15m or 1h30m")]
pub struct DurationError {
    text: String,
}

const UNITS: [(&str, u64); 7] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
    ("y", 31_536_000_000),
];

/// Reads a duration in Prometheus's notation (its `model.ParseDuration`), resolution one millisecond.
///
/// # Errors
/// When the text is empty, has no unit, an unknown one, or is too large for 64 bits of milliseconds.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError { text: text.to_owned() };
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(error());
    }
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().map_err(|_| error())?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (_, scale) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(error)?;
        rest = &rest[letters..];
        total = number.checked_mul(*scale).and_then(|millis| total.checked_add(millis)).ok_or_else(error)?;
    }
    Ok(Duration::from_millis(total))
}

/// Writes a duration in the same notation, largest unit first.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, scale) in UNITS.iter().rev().filter(|(unit, _)| !matches!(*unit, "y" | "w")) {
        if millis >= *scale {
            text.push_str(&format!("{}{unit}", millis / scale));
            millis %= scale;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back() {
        for (text, millis, back) in [
            ("30s", 30_000, "30s"),
            ("15m", 900_000, "15m"),
            ("24h", 86_400_000, "1d"),
            ("7d", 604_800_000, "7d"),
            ("1h30m", 5_400_000, "1h30m"),
            ("250ms", 250, "250ms"),
            ("0", 0, "0s"),
        ] {
            let duration = parse(text).expect(text);
            assert_eq!(duration.as_millis(), millis, "{text}");
            assert_eq!(format(duration), back, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_in_words() {
        for text in ["", "s", "5", "-1s", "5 minutes", "1x", "99999999999999999999s", "300000000y300000000y"]
        {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains("is not a duration"), "{text}: {error}");
        }
    }
}
