//! What benches that take minutes have in common.

use anyhow::{Context as _, Result};

/// For how many minutes is measured: so many, unless `CACHESCOPE_BENCH_MINUTES` says otherwise.
///
/// # Errors
/// When the variable is not a number.
pub fn minutes(usual: f64) -> Result<f64> {
    match std::env::var("CACHESCOPE_BENCH_MINUTES") {
        Ok(text) => text.parse().context("CACHESCOPE_BENCH_MINUTES is not a number"),
        Err(_) => Ok(usual),
    }
}
