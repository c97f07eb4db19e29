//! Expressions as a tree, and their text.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use cachescope_model::duration;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchKind {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, the whole value
    Matches,
    /// `!~`, the whole value
    MatchesNot,
}

/// One label matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label.
    pub label: String,
    /// How it is compared.
    pub kind: MatchKind,
    /// With what.
    pub value: String,
}

impl Matcher {
    /// `label="value"`
    #[must_use]
    pub fn equal(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), kind: MatchKind::Equal, value: value.into() }
    }
}

/// Which series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// The metric's name; empty where matchers alone select.
    pub name: String,
    /// The matchers.
    pub matchers: Vec<Matcher>,
}

/// A function over a range of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeFunction {
    /// Increase of a counter per second.
    Rate,
    /// Increase of a counter.
    Increase,
}

/// How several series become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Their mean.
    Avg,
    /// How many there are.
    Count,
}

/// Which labels stay when series are aggregated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// These alone.
    By(Vec<String>),
    /// All but these.
    Without(Vec<String>),
}

/// A binary operator. Comparisons filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `>`
    Above,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `and`
    And,
    /// `unless`
    Unless,
    /// `or`
    Or,
}

impl Operator {
    /// As it is written.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Above => ">",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::And => "and",
            Self::Unless => "unless",
            Self::Or => "or",
        }
    }

    /// The higher, the tighter it binds.
    #[must_use]
    pub const fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Above | Self::Below | Self::AtLeast | Self::AtMost | Self::Equal | Self::NotEqual => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide => 5,
        }
    }

    /// Whether it compares.
    #[must_use]
    pub const fn compares(self) -> bool {
        self.precedence() == 3
    }

    /// Whether it works on sets of series.
    #[must_use]
    pub const fn on_sets(self) -> bool {
        self.precedence() <= 2
    }
}

/// The part of PromQL that documented rules are written in.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A number.
    Number(f64),
    /// The latest sample of each series.
    Instant(Selector),
    /// A function over a range.
    Range(RangeFunction, Selector, Duration),
    /// `histogram_quantile`
    Quantile(f64, Box<Expr>),
    /// An aggregation; without a grouping all series become one.
    Aggregate(Aggregation, Option<Grouping>, Box<Expr>),
    /// Two operands.
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// Text that only a Prometheus server understands.
    Foreign(String),
}

impl Expr {
    /// `self operator other`
    #[must_use]
    pub fn with(self, operator: Operator, other: Self) -> Self {
        Self::Binary(operator, Box::new(self), Box::new(other))
    }

    /// `sum(self)`
    #[must_use]
    pub fn sum(self) -> Self {
        Self::Aggregate(Aggregation::Sum, None, Box::new(self))
    }

    /// `sum by (labels) (self)`
    #[must_use]
    pub fn sum_by(self, labels: &[&str]) -> Self {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Self::Aggregate(Aggregation::Sum, Some(Grouping::By(labels)), Box::new(self))
    }

    /// `rate(selector[range])`
    #[must_use]
    pub fn rate(selector: Selector, range: Duration) -> Self {
        Self::Range(RangeFunction::Rate, selector, range)
    }

    /// The text that only a server understands, where there is some in it.
    #[must_use]
    pub fn foreign(&self) -> Option<&str> {
        match self {
            Self::Foreign(text) => Some(text),
            Self::Quantile(_, of) | Self::Aggregate(_, _, of) => of.foreign(),
            Self::Binary(_, left, right) => left.foreign().or_else(|| right.foreign()),
            Self::Number(_) | Self::Instant(_) | Self::Range(..) => None,
        }
    }

    fn precedence(&self) -> u8 {
        match self {
            Self::Binary(operator, ..) => operator.precedence(),
            Self::Foreign(_) => 0,
            _ => u8::MAX,
        }
    }
}

impl Display for Expr {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{}", Written(*number)),
            Self::Instant(selector) => write!(out, "{selector}"),
            Self::Range(function, selector, range) => {
                let name = match function {
                    RangeFunction::Rate => "rate",
                    RangeFunction::Increase => "increase",
                };
                write!(out, "{name}({selector}[{}])", duration::format(*range))
            }
            Self::Quantile(quantile, of) => write!(out, "histogram_quantile({}, {of})", Written(*quantile)),
            Self::Aggregate(aggregation, grouping, of) => {
                out.write_str(aggregation.name())?;
                match grouping {
                    None => {}
                    Some(Grouping::By(labels)) => write!(out, " by ({}) ", labels.join(", "))?,
                    Some(Grouping::Without(labels)) => write!(out, " without ({}) ", labels.join(", "))?,
                }
                write!(out, "({of})")
            }
            Self::Binary(operator, left, right) => {
                operand(out, left, left.precedence() < operator.precedence())?;
                write!(out, " {} ", operator.sign())?;
                operand(out, right, right.precedence() <= operator.precedence())
            }
            Self::Foreign(text) => out.write_str(text),
        }
    }
}

fn operand(out: &mut Formatter<'_>, expr: &Expr, parentheses: bool) -> fmt::Result {
    if parentheses { write!(out, "({expr})") } else { write!(out, "{expr}") }
}

impl Aggregation {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
            Self::Count => "count",
        }
    }
}

impl Display for Selector {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        if self.matchers.is_empty() {
            return Ok(());
        }
        out.write_str("{")?;
        for (place, matcher) in self.matchers.iter().enumerate() {
            let sign = match matcher.kind {
                MatchKind::Equal => "=",
                MatchKind::NotEqual => "!=",
                MatchKind::Matches => "=~",
                MatchKind::MatchesNot => "!~",
            };
            let comma = if place > 0 { "," } else { "" };
            write!(out, "{comma}{}{sign}{}", matcher.label, quoted(&matcher.value))?;
        }
        out.write_str("}")
    }
}

/// A text in PromQL's double quotes.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            other if other.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(other))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A number as PromQL writes it.
struct Written(f64);

impl Display for Written {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            number if number.is_nan() => out.write_str("NaN"),
            f64::INFINITY => out.write_str("Inf"),
            f64::NEG_INFINITY => out.write_str("-Inf"),
            number => write!(out, "{number}"),
        }
    }
}
