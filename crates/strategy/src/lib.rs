//! Strategy files: the format, its loader and the five built-in ones.
//!
//! | question | module |
//! |---|---|
//! | where does a strategy come from? | [`load`](mod@load), [`built_in`](mod@built_in) |
//! | what is wrong with it, on which line? | [`problem`] |
//! | how is the text read? | `document`, `section`, `value` |
//! | what may stand in it? | `namespaces`, `layers`, `measured`, `subjects`, `actions`, `steps`, `policies`, `sizing` |
//! | how do namespaces that were found get into one? | [`adopt`](mod@adopt) |
//! | does it fit together? | `names`, `advice`, [`overlap`] |
//!
//! [`parse`] and [`check`] are pure: text in, strategy or problems out. Every problem of a file is reported,
//! not only the first, as `file:line: place: what is wrong; what to write`.

mod actions;
pub mod adopt;
mod advice;
pub mod built_in;
mod document;
mod layers;
pub mod load;
mod measured;
mod names;
mod namespaces;
pub mod overlap;
mod policies;
pub mod problem;
mod section;
mod sizing;
mod steps;
mod subjects;
mod value;

pub use adopt::{Adoption, Found, adopt};
pub use built_in::{BUILT_IN, BuiltIn, built_in};
pub use document::{Checked, check, parse};
pub use load::{MAX_FILE_BYTES, inspect, load, resolve};
pub use problem::{Problem, Severity, StrategyError};
