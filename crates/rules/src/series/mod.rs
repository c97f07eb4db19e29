//! Series files in the notation of promtool's unit tests.
//!
//! `notation` reads one line of values, [`file`](mod@file) a file of series.

pub mod file;
mod notation;

pub use file::{SeriesFile, SeriesTest, read};
pub use notation::values;
