//! Numbers as Prometheus 2.42 reads them.

/// Reads a sample's value: what Go's `strconv.ParseFloat(s, 64)` accepts, less what Prometheus takes out
/// (`parseFloat` in its `model/textparse/promparse.go`): hexadecimal floats and underscores.
///
/// Rust's own parser agrees on decimals (both round to the nearest even) and is wider in two places: it takes
/// a signed NaN, and it lets a number overflow to infinity.
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: f64 = text.parse().ok()?;
    if number.is_finite() {
        return Some(number);
    }
    let spelled = text.trim_start_matches(['+', '-']);
    let signed = spelled.len() != text.len();
    let written_in_letters = spelled.starts_with(|first: char| first.is_ascii_alphabetic());
    (written_in_letters && !(number.is_nan() && signed)).then_some(number)
}

/// Reads a time in seconds (OpenMetrics), to whole milliseconds, cut towards zero as Prometheus does.
pub(super) fn seconds_to_millis(text: &[u8]) -> Option<i64> {
    parse(text).filter(|seconds| seconds.is_finite()).map(|seconds| (seconds * 1000.0) as i64)
}

/// Reads a time in milliseconds (text format): digits alone, within 64 bits.
pub(super) fn millis(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_go_takes_for_one_and_no_more() {
        for (text, value) in [
            ("1", 1.0),
            ("+1", 1.0),
            ("-0.5", -0.5),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e3", 1000.0),
            ("1E+3", 1000.0),
            ("1e-3", 0.001),
            ("1e-999", 0.0),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("1.7976931348623157e308", f64::MAX),
            ("4.9e-324", 5e-324),
            ("inf", f64::INFINITY),
            ("+Inf", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("iNfInItY", f64::INFINITY),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(value), "{text}");
        }
        for nan in ["NaN", "nan", "NAN"] {
            assert!(parse(nan.as_bytes()).expect(nan).is_nan());
        }
        for text in [
            "",
            ".",
            "-",
            "+",
            "e5",
            "1e",
            "1e+",
            "1_000",
            "0x1p4",
            "0x1",
            "1p3",
            "+NaN",
            "-nan",
            "1e999",
            "-1e999",
            "infi",
            "infinit",
            "Infinity1",
            "1 ",
            "--1",
            "+-1",
            "١",
            "1,5",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times_are_cut_to_whole_milliseconds() {
        assert_eq!(seconds_to_millis(b"1.2345"), Some(1234));
        assert_eq!(seconds_to_millis(b"-1.2345"), Some(-1234));
        assert_eq!(seconds_to_millis(b"1520879607.789"), Some(1_520_879_607_789));
        assert_eq!(seconds_to_millis(b"NaN"), None);
        assert_eq!(seconds_to_millis(b"Inf"), None);
        assert_eq!(millis(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(millis(b"9223372036854775808"), None);
    }
}
