//! Scalars as people write them: sizes, ratios, names, schedules.

use std::str::FromStr;

use cachescope_model::strategy::Cron;
use cachescope_model::template::Template;

use crate::problem::nearest;

/// Bytes as people write them: `740`, `2 KB` (1000), `2 KiB` (1024), `1.5GB`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let refused =
        || format!("{text:?} is not a size: write bytes, or a number with KB, MB, GB, KiB, MiB or GiB");
    let trimmed = text.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let number: f64 = trimmed[..digits].parse().map_err(|_| refused())?;
    let scale: f64 = match trimmed[digits..].trim() {
        "" | "B" => 1.0,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        _ => return Err(refused()),
    };
    let value = number * scale;
    if value.fract() != 0.0 || value > 9e18 {
        return Err(refused());
    }
    Ok(value as u64)
}

/// A share from 0 to 1.
pub(crate) fn ratio(value: f64) -> Result<f64, String> {
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    if value > 1.0 && value <= 100.0 {
        return Err(format!("{value} is not a ratio from 0 to 1; write {}", value / 100.0));
    }
    Err(format!("{value} is not a ratio from 0 to 1; write a number such as 0.8"))
}

/// A short name: letters, digits, `-`, `_` and `.`.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    let suggestion: String = text
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(64)
        .collect::<String>()
        .trim_matches('-')
        .to_ascii_lowercase();
    let suggestion = if suggestion.is_empty() { "sessions" } else { &suggestion };
    Err(format!(
        "{text:?} is no short name (1 to 64 letters, digits, -, _ and .); write something like {suggestion:?}"
    ))
}

/// A cron expression of five fields, in UTC.
pub(crate) fn cron(text: &str) -> Result<Cron, String> {
    let remedy = "write five fields (minute hour day month weekday) in UTC, such as \"0 6 * * *\"";
    if text.split_whitespace().count() != 5 {
        return Err(format!("{text:?} is not a cron expression of five fields; {remedy}"));
    }
    match croner::Cron::from_str(text) {
        Ok(_) => Ok(Cron(text.split_whitespace().collect::<Vec<_>>().join(" "))),
        Err(reason) => Err(format!(
            "{text:?} is not a cron expression ({}); {remedy}",
            reason.to_string().trim_end_matches('.')
        )),
    }
}

/// The longest template in bytes: templates are compared in pairs, and no sensible one is as long.
const LONGEST_TEMPLATE: usize = 512;

/// A template.
pub(crate) fn template(text: &str) -> Result<Template, String> {
    if text.len() > LONGEST_TEMPLATE {
        return Err(format!("a template of {} bytes; write at most {LONGEST_TEMPLATE}", text.len()));
    }
    Template::parse(text).map_err(|error| error.to_string())
}

/// One of a few words.
pub(crate) fn word<T: Copy>(written: &str, words: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, meant)) = words.iter().find(|(word, _)| *word == written) {
        return Ok(*meant);
    }
    let known = || words.iter().map(|(word, _)| *word);
    Err(match nearest(written, known()) {
        Some(meant) => format!("{written:?} is not known; write {meant:?}"),
        None => format!("{written:?} is not known; write one of {}", known().collect::<Vec<_>>().join(", ")),
    })
}

/// A metric's or label's name: Prometheus takes any text since 3.0; what would end a name in a query is refused.
pub(crate) fn metric(text: &str) -> Result<String, String> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '"' | ',' | '=' | '(' | ')');
    if text.is_empty() || text.contains(ends) {
        return Err(format!(
            "{text:?} is no name of a metric or label; write the bare name, such as cache_hits_total"
        ));
    }
    Ok(text.to_owned())
}

/// A pattern with which keys are purged: a Redis glob with at least two literal bytes before its first
/// wildcard, so that it can't mean everything.
pub(crate) fn purge_pattern(text: &str) -> Result<String, String> {
    let literal = text.bytes().take_while(|byte| !matches!(byte, b'*' | b'?' | b'[' | b'{')).count();
    if literal >= 2 {
        return Ok(text.to_owned());
    }
    Err(format!(
        "the pattern {text:?} could match every key; begin it with the literal start of a namespace, such as \"user:*\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_or_binary_as_written() {
        for (text, value) in [
            ("740", 740),
            ("2 KB", 2_000),
            ("2KiB", 2_048),
            ("1.5GB", 1_500_000_000),
            ("4 GiB", 4_294_967_296),
            ("520kB", 520_000),
        ] {
            assert_eq!(bytes(text), Ok(value), "{text}");
        }
        for text in ["", "KB", "2 XB", "-1 KB", "1.0001 KB", "99999999999 TB", "1..2 KB"] {
            assert!(bytes(text).expect_err(text).contains("is not a size"), "{text}");
        }
    }

    #[test]
    fn a_percentage_written_as_a_ratio_is_refused_with_the_ratio_it_means() {
        assert_eq!(ratio(0.8), Ok(0.8));
        assert!(ratio(80.0).expect_err("80 is no ratio").contains("write 0.8"));
        for value in [-0.1, 101.0, f64::NAN, f64::INFINITY] {
            assert!(ratio(value).is_err(), "{value}");
        }
    }

    #[test]
    fn schedules_have_five_fields_that_a_cron_understands() {
        assert_eq!(cron("0  6 * * *"), Ok(Cron("0 6 * * *".to_owned())));
        assert_eq!(cron("0 0 1 * *"), Ok(Cron("0 0 1 * *".to_owned())));
        for text in ["", "06:00", "0 6 * *", "0 25 * * *", "0 0 6 * * *", "@daily"] {
            assert!(cron(text).expect_err(text).contains("cron expression"), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_could_match_everything_is_refused() {
        assert!(purge_pattern("cache:reports:revenue:*").is_ok());
        for text in ["", "*", "**", "?*", "[a-z]*", "{tenantId}:*", ":*"] {
            assert!(purge_pattern(text).expect_err(text).contains("every key"), "{text}");
        }
    }
}
