//! `1 2+3x4 _ _x2 stale NaN`: values at equal distances.

use crate::promql::STALE;

/// The most values of one line: two years of minutes.
const MOST_VALUES: usize = 1_100_000;

/// Reads a line of values; `None` is a gap.
///
/// As in promtool, `a+bxn` stands for a and n more values, each b above the one before; `axn` for a and n more of the
/// same; `_xn` for n gaps.
///
/// # Errors
/// What is wrong, in one sentence.
pub fn values(text: &str) -> Result<Vec<Option<f64>>, String> {
    let mut values = Vec::new();
    for item in text.split([' ', '\t', '\n', '\r']).filter(|item| !item.is_empty()) {
        read_item(item, &mut values)?;
        if values.len() > MOST_VALUES {
            return Err(format!("there are more than {MOST_VALUES} values"));
        }
    }
    Ok(values)
}

fn read_item(item: &str, values: &mut Vec<Option<f64>>) -> Result<(), String> {
    if item.contains("{{") {
        return Err(format!(
            "{item:?} is a native histogram, which is not replayed; write its buckets as series"
        ));
    }
    if let Some(times) = item.strip_prefix('_') {
        let times = match times.strip_prefix('x') {
            Some(times) => repetitions(times, item)?,
            None if times.is_empty() => 1,
            None => return Err(wrong(item)),
        };
        values.extend(std::iter::repeat_n(None, times));
        return Ok(());
    }
    let (first, rest) = number(item, item)?;
    values.push(Some(first));
    if rest.is_empty() {
        return Ok(());
    }
    let (step, times) = match rest.strip_prefix('x') {
        Some(times) => (None, times),
        None if rest.starts_with(['+', '-']) => {
            let (step, rest) = number(rest, item)?;
            (Some(step), rest.strip_prefix('x').ok_or_else(|| wrong(item))?)
        }
        None => return Err(wrong(item)),
    };
    let mut value = first;
    for _ in 0..repetitions(times, item)? {
        value = step.map_or(value, |step| value + step);
        values.push(Some(value));
    }
    Ok(())
}

fn repetitions(text: &str, item: &str) -> Result<usize, String> {
    let times: usize = text.parse().map_err(|_| wrong(item))?;
    if times > MOST_VALUES || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{item:?} repeats a value more than {MOST_VALUES} times"));
    }
    Ok(times)
}

/// The number that a text begins with, and what follows it.
fn number<'t>(text: &'t str, item: &str) -> Result<(f64, &'t str), String> {
    let (sign, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let word =
        unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
    let signed = unsigned.len() < text.len();
    if unsigned.starts_with(|c: char| c.is_ascii_alphabetic()) {
        let value = match &unsigned[..word] {
            "stale" if !signed => STALE,
            name if name.eq_ignore_ascii_case("nan") => f64::NAN,
            name if name.eq_ignore_ascii_case("inf") => f64::INFINITY,
            _ => return Err(wrong(item)),
        };
        return Ok((if sign < 0.0 { -value } else { value }, &unsigned[word..]));
    }
    let length = digits(unsigned);
    let number: f64 = unsigned[..length].parse().map_err(|_| wrong(item))?;
    Ok((sign * number, &unsigned[length..]))
}

/// Length of a decimal number with its exponent.
fn digits(text: &str) -> usize {
    let bytes = text.as_bytes();
    let run = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut end = run(0);
    if bytes.get(end) == Some(&b'.') {
        end = run(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = run(end + 1 + sign);
    }
    end
}

fn wrong(item: &str) -> String {
    format!("{item:?} is no value; write a number, a+bxn, axn, _, _xn, stale, NaN or Inf")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::storage::is_stale;

    #[test]
    fn values_are_read_as_promtool_reads_them() {
        for (text, wanted) in [
            ("1 2 3", vec![Some(1.0), Some(2.0), Some(3.0)]),
            ("1x3", vec![Some(1.0); 4]),
            ("-1-2x3", vec![Some(-1.0), Some(-3.0), Some(-5.0), Some(-7.0)]),
            ("1e+2x1 5. .5", vec![Some(100.0), Some(100.0), Some(5.0), Some(0.5)]),
            ("_ _x3 7", vec![None, None, None, None, Some(7.0)]),
            ("0x2", vec![Some(0.0); 3]),
            ("1 -1\n+7", vec![Some(1.0), Some(-1.0), Some(7.0)]),
            ("Inf -inf +Inf", vec![Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(f64::INFINITY)]),
            ("", vec![]),
        ] {
            assert_eq!(values(text), Ok(wanted), "{text}");
        }
        let stale = values("stale NaN stale+1x1").expect("they are values");
        let stale: Vec<_> = stale.into_iter().map(|value| value.map(is_stale)).collect();
        assert_eq!(stale, [Some(true), Some(false), Some(true), Some(false)]);
    }

    #[test]
    fn what_promtool_refuses_is_refused_in_words() {
        for text in [
            "NaNx3",
            "stalex3",
            "1_2",
            "1+1",
            "0x10x2",
            "STALE",
            "1 + 2x3",
            "1+Infx2",
            "+",
            "1xx",
            "1x-1",
            "_y",
            "a",
            "x5",
            "1x99999999999",
            "{{sum:1}}",
        ] {
            let error = values(text).expect_err(text);
            assert!(error.contains(" is ") || error.contains("repeats"), "{text}: {error}");
        }
    }
}
