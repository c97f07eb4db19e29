//! The slow log: how long single commands ran inside the server, by key.
//!
//! | file | what |
//! |---|---|
//! | `gentle.rs` | [`read`]: the slow log as it stands, for the slow commands in it; changes nothing |
//! | `sample.rs` | [`sample`]: every command logged for a few seconds a minute, under a plan that was approved |
//! | `window.rs` | which of the entries are a fair sample, and how many commands were not seen |
//! | `entry.rs` | one entry of the reply |
//! | `keys.rs` | which of a command's arguments is its first key |
//!
//! The slow log has no database numbers, cuts arguments at 128 bytes and shows 32 of them at most.

mod entry;
mod gentle;
mod keys;
mod sample;
mod window;

pub use gentle::{GentleOptions, read};
pub use sample::{SampleEnd, SampleOptions, Sampled, sample};
