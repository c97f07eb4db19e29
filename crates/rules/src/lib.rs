//! Rule files, series files and what rules would have said: the text formats around the engine's evaluation.
//!
//! The states of alerts are `cachescope-engine`'s; here is how rules travel and how they are tried out.
//!
//! | question | module |
//! |---|---|
//! | how does a strategy's rule read in PromQL? | [`dialect`], [`written`], [`promql`] |
//! | how does it become a rule file? | [`export`](mod@export) |
//! | and back? | [`import`](mod@import), [`strategy_text`](mod@strategy_text) |
//! | what would it have said of these series? | [`series`], [`replay`](mod@replay) |
//! | when would it have fired, and with another threshold? | [`backtest`] |
//! | what is wrong with a text, on which line? | [`problem`] |
//!
//! Deliberately not here: files, servers and clocks.

pub mod backtest;
pub mod dialect;
pub mod export;
pub mod import;
pub mod problem;
pub mod promql;
pub mod replay;
pub mod series;
pub mod strategy_text;
pub mod written;
pub mod yaml;

pub use export::{Export, LeftOut, export};
pub use import::{Import, Imported, import};
pub use problem::Problem;
pub use replay::{Replay, Replayed, replay};
pub use series::SeriesFile;
pub use strategy_text::strategy_text;
pub use written::AlertingRule;
pub use yaml::MAX_BYTES;
