//! The part of PromQL that documented rules are written in: one tree, from which comes the text of an exported rule
//! and the value of a replayed one, so that the two can't differ.
//!
//! | question | module |
//! |---|---|
//! | what can be said? | [`expr`] |
//! | how is it read? | [`parse`](mod@parse), `lexer` |
//! | what does it say at a time? | [`eval`], over [`storage`] |
//! | how do a counter and a histogram become figures? | `rate`, `histogram` |
//!
//! It follows Prometheus 2: ranges that are closed at both ends, stale markers, five minutes of looking back. What
//! lies outside is [`Expr::Foreign`] and left to a server.

pub mod eval;
pub mod expr;
mod histogram;
mod lexer;
pub mod parse;
mod rate;
pub mod storage;

pub use eval::{Element, Value, evaluate};
pub use expr::{Aggregation, Expr, Grouping, MatchKind, Matcher, Operator, RangeFunction, Selector};
pub use parse::parse;
pub use storage::{STALE, Series, Storage};
