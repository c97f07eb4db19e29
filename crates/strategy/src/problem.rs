//! What is wrong with a strategy file, in words for the person who wrote it.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Whether a problem keeps the file from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file can't be used.
    Error,
    /// It can, but probably doesn't say what its author meant.
    Warning,
}

/// One thing that is wrong, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Whether the file can be used in spite of it.
    pub severity: Severity,
    /// In which table (`namespace "users"`); empty at the top of the file.
    pub place: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: ", self.file, self.line)?;
        if self.severity == Severity::Warning {
            write!(formatter, "warning: ")?;
        }
        if !self.place.is_empty() {
            write!(formatter, "{}: ", self.place)?;
        }
        formatter.write_str(&self.message)
    }
}

/// Why there is no strategy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StrategyError {
    /// Neither a built-in strategy nor a file.
    #[error("there is no strategy {name:?}: {advice}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        advice: String,
    },
    /// The file can't be read.
    #[error("strategy file {} can't be read: {reason}; check the path and its permissions", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// It is something else than a file.
    #[error("{} is not a file; name a strategy file, such as my-team.toml", .path.display())]
    NotAFile {
        /// Which path.
        path: PathBuf,
    },
    /// It is larger than any strategy.
    #[error(
        "strategy file {} is larger than {limit} bytes, which no strategy is; check that it is the right file",
        .path.display()
    )]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The bound in bytes.
        limit: u64,
    },
    /// It says something that doesn't hold.
    #[error("{}", lines(.problems))]
    Invalid {
        /// Everything that is wrong, in the file's order.
        problems: Vec<Problem>,
    },
}

impl StrategyError {
    /// What is wrong, one sentence each.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        match self {
            Self::Invalid { problems } => problems.iter().map(ToString::to_string).collect(),
            other => vec![other.to_string()],
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Collects what is wrong while a file is read.
#[derive(Debug)]
pub(crate) struct Report<'f> {
    file: &'f str,
    line_starts: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
}

impl<'f> Report<'f> {
    pub(crate) fn new(file: &'f str, text: &str) -> Self {
        let after_newline = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self {
            file,
            line_starts: std::iter::once(0).chain(after_newline).collect(),
            problems: RefCell::default(),
        }
    }

    /// The line, from 1, that holds the byte at `offset`.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    pub(crate) fn error(&self, line: usize, place: &str, message: impl Into<String>) {
        self.push(Severity::Error, line, place, message.into());
    }

    pub(crate) fn warning(&self, line: usize, place: &str, message: impl Into<String>) {
        self.push(Severity::Warning, line, place, message.into());
    }

    fn push(&self, severity: Severity, line: usize, place: &str, message: String) {
        let problem =
            Problem { file: self.file.to_owned(), line, severity, place: place.to_owned(), message };
        self.problems.borrow_mut().push(problem);
    }

    /// Everything that was reported, in the file's order.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// The known word that `written` was probably meant to be: at most a third of its letters differ.
pub(crate) fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let closest = known.into_iter().map(|word| (distance(written, word), word)).min()?;
    (closest.0 <= written.chars().count().max(3) / 3).then_some(closest.1)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for row in 1..=from.len() {
        let mut here = vec![row];
        for column in 1..=to.len() {
            let changed = usize::from(from[row - 1] != to[column - 1]);
            let mut best = (above[column] + 1).min(here[column - 1] + 1).min(above[column - 1] + changed);
            let swapped =
                row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1];
            if swapped {
                best = best.min(before[column - 2] + 1);
            }
            here.push(best);
        }
        before = std::mem::replace(&mut above, here);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_on_the_line_that_holds_it() {
        let report = Report::new("x.toml", "a\nbc\n\nd");
        for (offset, line) in [(0, 1), (1, 1), (2, 2), (4, 2), (5, 3), (6, 4)] {
            assert_eq!(report.line(offset), line, "offset {offset}");
        }
    }

    #[test]
    fn a_misspelt_word_finds_its_neighbour_and_a_strange_one_none() {
        let known = ["template", "tenant", "ttl", "title"];
        for (written, meant) in [
            ("tempalte", Some("template")),
            ("tll", Some("ttl")),
            ("tenat", Some("tenant")),
            ("colour", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }
}
