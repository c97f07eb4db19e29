//! The filter of the namespace table: `hit<0.8 mem>100MB ns:session*`. Every term must hold.
//!
//! | term | rows it keeps |
//! |---|---|
//! | `word`, `"two words"` | whose title or template contains it, upper and lower case alike |
//! | `ns:session*` | whose title or template is that, with `*` for anything and `?` for one character |
//! | `is:below`, `is:silent`, `is:found` | below their target; without lookups in the window; found, not documented |
//! | `hit<80%`, `mem>=100MB`, `ttl>1h` | whose figure compares so; an unknown figure never does |
//! | `-term` | for which the term does not hold |

use cachescope_model::reading_kind::{ReadingKind, Unit};
use cachescope_model::snapshot::{NamespaceOrigin, NamespaceSnapshot};

use crate::rows::{below_target, value};

/// What can be compared: its names, the first of which is shown, and the reading.
const FIELDS: &[(&[&str], ReadingKind)] = &[
    (&["hit", "hit_rate"], ReadingKind::HitRate),
    (&["lookups"], ReadingKind::LookupsPerSecond),
    (&["misses", "miss"], ReadingKind::MissesPerSecond),
    (&["p99", "latency"], ReadingKind::LatencyP99Seconds),
    (&["mem", "memory"], ReadingKind::MemoryBytes),
    (&["keys"], ReadingKind::Keys),
    (&["evict", "evictions"], ReadingKind::EvictionsPerSecond),
    (&["expire", "expirations"], ReadingKind::ExpirationsPerSecond),
    (&["ttl"], ReadingKind::TtlP50Seconds),
    (&["nottl", "no_ttl"], ReadingKind::NoTtlRatio),
];

/// Longest filter that is read, in bytes: nobody types more, and a hostile page can't make us work for it.
const LONGEST: usize = 1_000;

/// A filter as read; the default keeps every row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    holds: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// In lower case.
    Contains(String),
    /// In lower case.
    Named(String),
    Below,
    Silent,
    Found,
    Compared(ReadingKind, Comparison, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Different,
}

/// What is wrong with a filter, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A name that nothing is called.
    #[error("{name:?} is nothing to compare: use {known}")]
    Field {
        /// As typed.
        name: String,
        /// What there is.
        known: String,
    },
    /// An `is:` that does not exist.
    #[error("is:{0} is unknown: use is:below, is:silent or is:found")]
    Is(String),
    /// A comparison without a value, or a name without a pattern.
    #[error("{0} wants a value behind it, such as {0}{1}")]
    Value(String, &'static str),
    /// A value that can't be read, with one that could.
    #[error("{value:?} can't be read as {field}: write it like {example}")]
    Unreadable {
        /// What it was compared with.
        field: &'static str,
        /// As typed.
        value: String,
        /// How it is written.
        example: &'static str,
    },
    /// A quote that was not closed.
    #[error("a quotation mark is not closed")]
    Quote,
    /// Too long to read.
    #[error("the filter is longer than {LONGEST} bytes")]
    Long,
}

fn names() -> String {
    let names: Vec<&str> = FIELDS.iter().map(|(names, _)| names[0]).collect();
    names.join(", ")
}

impl Filter {
    /// Reads a filter as typed.
    ///
    /// # Errors
    /// The first thing that can't be read, in one sentence.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > LONGEST {
            return Err(FilterError::Long);
        }
        let terms = words(text)?.into_iter().map(|word| term(&word)).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Whether a row is kept.
    #[must_use]
    pub fn keeps(&self, row: &NamespaceSnapshot) -> bool {
        if self.terms.is_empty() {
            return true;
        }
        let (title, template) = (row.title.to_lowercase(), row.namespace.to_lowercase());
        self.terms.iter().all(|term| {
            let held = match &term.test {
                Test::Contains(text) => title.contains(text) || template.contains(text),
                Test::Named(pattern) => matches(pattern, &title) || matches(pattern, &template),
                Test::Below => below_target(row),
                Test::Silent => value(row, ReadingKind::LookupsPerSecond) == Some(0.0),
                Test::Found => row.origin == NamespaceOrigin::Discovered,
                Test::Compared(kind, comparison, bound) => {
                    // Neither true nor false of a figure that is not known, so that `-mem>1GB` shows no unknown either.
                    let Some(value) = value(row, *kind) else { return false };
                    comparison.holds(value, *bound)
                }
            };
            held == term.holds
        })
    }
}

impl Comparison {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::More => value > bound,
            Self::AtLeast => value >= bound,
            Self::Equal => value == bound,
            Self::Different => value != bound,
        }
    }
}

/// Signs, the longer ones first.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("!=", Comparison::Different),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

/// A word as typed, and whether its comparison signs are text because they stood in quotes.
#[derive(Debug)]
struct Word {
    text: String,
    quoted: bool,
}

/// Splits at blanks outside of quotes; blanks around a comparison join its sides.
fn words(text: &str) -> Result<Vec<Word>, FilterError> {
    let mut words: Vec<Word> = Vec::new();
    let mut word: Option<Word> = None;
    let mut open = false;
    for letter in text.chars() {
        if letter == '"' {
            open = !open;
            let word = word.get_or_insert(Word { text: String::new(), quoted: false });
            // A quoted value behind `ns:` leaves the name outside of the quotes a name.
            word.quoted |= word.text.is_empty() || word.text == "-";
        } else if letter.is_whitespace() && !open {
            words.extend(word.take());
        } else {
            word.get_or_insert(Word { text: String::new(), quoted: false }).text.push(letter);
        }
    }
    if open {
        return Err(FilterError::Quote);
    }
    words.extend(word);
    let mut joined: Vec<Word> = Vec::new();
    for word in words {
        match joined.last_mut() {
            Some(before)
                if !before.quoted
                    && !word.quoted
                    && (before.text.ends_with(SIGNS)
                        || JOINING.iter().any(|beginning| word.text.starts_with(beginning))) =>
            {
                before.text.push_str(&word.text);
            }
            _ => joined.push(word),
        }
    }
    Ok(joined)
}

const SIGNS: [char; 3] = ['<', '>', '='];

/// Beginnings of words that belong to the word before: `hit < 80 %`.
const JOINING: [&str; 5] = ["<", ">", "=", "!=", "%"];

fn term(word: &Word) -> Result<Term, FilterError> {
    let (holds, text) = match word.text.strip_prefix('-') {
        Some(rest) if !rest.is_empty() => (false, rest),
        _ => (true, word.text.as_str()),
    };
    let test = if word.quoted { Test::Contains(text.to_lowercase()) } else { test(text)? };
    Ok(Term { holds, test })
}

fn test(text: &str) -> Result<Test, FilterError> {
    if let Some(pattern) = text.strip_prefix("ns:") {
        if pattern.is_empty() {
            return Err(FilterError::Value("ns:".to_owned(), "session*"));
        }
        return Ok(Test::Named(pattern.to_lowercase()));
    }
    if let Some(what) = text.strip_prefix("is:") {
        return match what.to_lowercase().as_str() {
            "below" => Ok(Test::Below),
            "silent" => Ok(Test::Silent),
            "found" => Ok(Test::Found),
            other => Err(FilterError::Is(other.to_owned())),
        };
    }
    let Some(at) = text.find(SIGNS) else { return Ok(Test::Contains(text.to_lowercase())) };
    let (name, rest) = text.split_at(if text[..at].ends_with('!') { at - 1 } else { at });
    let (comparison, value) = COMPARISONS
        .iter()
        .find_map(|(sign, comparison)| rest.strip_prefix(sign).map(|value| (*comparison, value)))
        .unwrap_or((Comparison::Equal, ""));
    let wanted = name.to_lowercase();
    let Some((_, kind)) = FIELDS.iter().find(|(names, _)| names.contains(&wanted.as_str())) else {
        return Err(FilterError::Field { name: name.to_owned(), known: names() });
    };
    let unit = kind.spec().unit;
    if value.is_empty() {
        return Err(FilterError::Value(text.to_owned(), example(*kind, unit)));
    }
    let bound = quantity(*kind, unit, value).ok_or_else(|| FilterError::Unreadable {
        field: described(*kind, unit),
        value: value.to_owned(),
        example: example(*kind, unit),
    })?;
    Ok(Test::Compared(*kind, comparison, bound))
}

fn described(kind: ReadingKind, unit: Unit) -> &'static str {
    match unit {
        _ if kind == ReadingKind::TtlP50Seconds => "a span",
        Unit::Ratio => "a share",
        Unit::PerSecond => "a rate",
        Unit::Seconds => "a latency",
        Unit::Bytes => "an amount of memory",
        Unit::Count => "a number",
    }
}

fn example(kind: ReadingKind, unit: Unit) -> &'static str {
    match unit {
        _ if kind == ReadingKind::TtlP50Seconds => "1h",
        Unit::Ratio => "80%",
        Unit::PerSecond => "500",
        Unit::Seconds => "10ms",
        Unit::Bytes => "100MB",
        Unit::Count => "10k",
    }
}

/// A value with its unit as base units. Bytes by powers of 1024 under the names that Redis uses.
fn quantity(kind: ReadingKind, unit: Unit, text: &str) -> Option<f64> {
    let split = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (digits, suffix) = text.split_at(split);
    let number: f64 = digits.parse().ok().filter(|number: &f64| number.is_finite())?;
    let suffix = suffix.to_lowercase();
    let factor = match unit {
        Unit::Ratio => match suffix.as_str() {
            "" if number <= 1.0 => 1.0,
            "%" => 0.01,
            _ => return None,
        },
        Unit::PerSecond => match suffix.trim_end_matches("/s") {
            "" => 1.0,
            "k" => 1e3,
            "m" => 1e6,
            _ => return None,
        },
        Unit::Count => match suffix.as_str() {
            "" => 1.0,
            "k" => 1e3,
            "m" => 1e6,
            _ => return None,
        },
        Unit::Bytes => match suffix.as_str() {
            "" | "b" => 1.0,
            "k" | "kb" => 1024.0,
            "m" | "mb" => 1024f64.powi(2),
            "g" | "gb" => 1024f64.powi(3),
            "t" | "tb" => 1024f64.powi(4),
            _ => return None,
        },
        Unit::Seconds => match suffix.as_str() {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" if kind == ReadingKind::TtlP50Seconds => 60.0,
            "h" if kind == ReadingKind::TtlP50Seconds => 3_600.0,
            "d" if kind == ReadingKind::TtlP50Seconds => 86_400.0,
            _ => return None, // "5" alone: five of what?
        },
    };
    Some(number * factor)
}

/// Whether `text` is what the pattern says, `*` for anything and `?` for one character. A pattern without either
/// is the whole name.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|letter| *letter == '?' || *letter == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use cachescope_model::reading::Reading;
    use cachescope_model::snapshot::MissCauses;

    use super::*;

    fn row(title: &str, template: &str, readings: &[(ReadingKind, f64)]) -> NamespaceSnapshot {
        NamespaceSnapshot {
            namespace: template.to_owned(),
            title: title.to_owned(),
            origin: NamespaceOrigin::Documented,
            documented_ttl_seconds: None,
            hit_rate_target: Some(0.95),
            readings: readings
                .iter()
                .map(|(kind, value)| (*kind, Reading::exact(*value, "test", 60.0)))
                .collect(),
            miss_causes: MissCauses::default(),
        }
    }

    fn sessions() -> NamespaceSnapshot {
        let figures = [
            (ReadingKind::HitRate, 0.71),
            (ReadingKind::LookupsPerSecond, 8_000.0),
            (ReadingKind::MemoryBytes, 150.0 * 1024.0 * 1024.0),
            (ReadingKind::LatencyP99Seconds, 0.0039),
            (ReadingKind::TtlP50Seconds, 2_460.0),
            (ReadingKind::Keys, 612_000.0),
        ];
        row("Sessions of Users", "session:{sessionId}", &figures)
    }

    fn keeps(filter: &str) -> bool {
        Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}")).keeps(&sessions())
    }

    #[test]
    fn every_term_must_hold() {
        for (filter, kept) in [
            ("", true),
            ("SESSION", true),
            ("{sessionid}", true),
            ("session orders", false),
            ("hit<0.8 mem>100MB ns:session*", true),
            ("hit<0.7 mem>100MB ns:session*", false),
            ("hit < 80 %", true),
            ("hit<=71%", true),
            ("hit!=0.71", false),
            ("hit != 0.5", true),
            ("mem>1gb", false),
            ("mem>=150MB", true),
            ("lookups>7.9k", true),
            ("lookups>8k/s", false),
            ("p99>3ms", true),
            ("p99<500us", false),
            ("ttl<1h", true),
            ("keys=612k", true),
            ("is:below", true),
            ("is:silent", false),
            ("-is:found", true),
            ("-session", false),
            ("\"of users\"", true),
            ("ns:\"sessions of*\"", true),
            ("ns:session", false),
            ("ns:session:?sessionId?", true),
            ("Users!", false),
        ] {
            assert_eq!(keeps(filter), kept, "{filter}");
        }
    }

    #[test]
    fn an_unknown_figure_is_neither_above_nor_below_nor_otherwise() {
        let row = row("Tiles", "tile:{id}", &[]);
        for filter in ["hit<1", "hit>=0", "-hit<1", "evict=0", "evict!=0"] {
            assert!(!Filter::parse(filter).expect("a filter").keeps(&row), "{filter}");
        }
        assert!(Filter::parse("tile").expect("a filter").keeps(&row));
    }

    #[test]
    fn what_cannot_be_read_is_told_in_one_sentence_with_a_way_out() {
        for (filter, told) in [
            ("size>5", "\"size\" is nothing to compare: use hit, lookups"),
            ("mem>100ms", "\"100ms\" can't be read as an amount of memory: write it like 100MB"),
            ("hit<80", "\"80\" can't be read as a share: write it like 80%"),
            ("p99>5", "write it like 10ms"),
            ("ttl>soon", "\"soon\" can't be read as a span: write it like 1h"),
            ("keys>", "keys> wants a value behind it, such as keys>10k"),
            ("ns:", "ns: wants a value behind it, such as ns:session*"),
            ("is:bad", "is:bad is unknown: use is:below"),
            ("\"open", "a quotation mark is not closed"),
        ] {
            let error = Filter::parse(filter).expect_err(filter).to_string();
            assert!(error.contains(told), "{filter}: {error}");
            assert!(!error.contains(". "), "one sentence: {error}");
        }
        assert_eq!(Filter::parse(&"x".repeat(LONGEST + 1)), Err(FilterError::Long));
    }

    #[test]
    fn a_pattern_of_stars_ends_soon_on_a_long_name() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!matches(&pattern, &"a".repeat(2_000)));
        assert!(matches("*ю*", "ключ"));
    }
}
