//! Figures and times in words.

use cachescope_model::reading_kind::Unit;
use cachescope_model::size;

/// A figure with its unit, as a person would say it: `71 %`, `12 ms`, `3.4 MB`, `120/s`.
#[must_use]
pub fn figure(value: f64, unit: Option<Unit>) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    match unit {
        Some(Unit::Ratio) => percent(value),
        Some(Unit::PerSecond) => format!("{}/s", number(value)),
        Some(Unit::Seconds) => seconds(value),
        Some(Unit::Bytes) => size::format(value),
        Some(Unit::Count) | None => number(value),
    }
}

/// A share: whole percents, and a decimal where it would be 0 or 100 without being it, or is close to either.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let whole = percent.round();
    let near_an_end = !(1.0..=99.0).contains(&percent) && (percent - whole).abs() > 0.049;
    if near_an_end { format!("{percent:.1} %") } else { format!("{whole} %") }
}

fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || (value - value.round()).abs() < 1e-9 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    grouped(text)
}

/// Thousands with commas.
fn grouped(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, ""), |(whole, fraction)| (whole, fraction));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{fraction}") }
}

fn seconds(value: f64) -> String {
    match value.abs() {
        0.0 => "0 s".to_owned(),
        size if size < 1e-3 => format!("{} µs", number(value * 1e6)),
        size if size < 1.0 => format!("{} ms", number(value * 1e3)),
        _ => format!("{} s", number(value)),
    }
}

/// A span of time: `40 s`, `6 min`, `2 h 5 min`, `3 d`.
pub(super) fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..=89 => format!("{seconds} s"),
        90..=5_399 => format!("{} min", (seconds + 30) / 60),
        5_400..=172_799 => {
            let (hours, minutes) = (seconds / 3_600, seconds % 3_600 / 60);
            if minutes == 0 { format!("{hours} h") } else { format!("{hours} h {minutes} min") }
        }
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_a_person_would_say_them() {
        for (value, unit, text) in [
            (0.71, Some(Unit::Ratio), "71 %"),
            (0.9967, Some(Unit::Ratio), "99.7 %"),
            (0.0012, Some(Unit::Ratio), "0.1 %"),
            (1.0, Some(Unit::Ratio), "100 %"),
            (0.0, Some(Unit::Ratio), "0 %"),
            (0.0123, Some(Unit::Seconds), "12.3 ms"),
            (0.00004, Some(Unit::Seconds), "40 µs"),
            (2.5, Some(Unit::Seconds), "2.5 s"),
            (1_234_567.0, Some(Unit::PerSecond), "1,234,567/s"),
            (0.5, Some(Unit::PerSecond), "0.5/s"),
            (3_400_000.0, Some(Unit::Bytes), "3.24 MB"),
            (-12_480.0, Some(Unit::Count), "-12,480"),
            (12.34, None, "12.3"),
            (f64::NAN, Some(Unit::Ratio), "unknown"),
        ] {
            assert_eq!(figure(value, unit), text);
        }
    }

    #[test]
    fn spans_have_the_unit_that_matters() {
        for (seconds, text) in [
            (0.4, "0 s"),
            (89.4, "89 s"),
            (90.0, "2 min"),
            (360.0, "6 min"),
            (5_400.0, "1 h 30 min"),
            (7_200.0, "2 h"),
            (260_000.0, "3 d"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
