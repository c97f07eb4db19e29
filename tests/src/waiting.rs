//! Waiting for conditions instead of sleeping.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a condition may take to come true: generous, because test machines are busy. A test that passes
/// does not wait for it.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// How often it is asked for.
const EVERY: Duration = Duration::from_millis(100);

/// Asks until the answer is `Some`, at most for [`PATIENCE`].
///
/// # Errors
/// When it never is: a sentence with `what` was awaited and what `ask` last failed with.
pub async fn wait_for<T>(what: &str, ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    wait_at_most(PATIENCE, what, ask).await
}

/// The same with another patience.
///
/// # Errors
/// As [`wait_for`].
pub async fn wait_at_most<T>(
    patience: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        let problem = match ask().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if begun.elapsed() > patience {
            let last =
                problem.map(|error| format!("; the last attempt failed: {error:#}")).unwrap_or_default();
            bail!("waited {} s in vain until {what}{last}", patience.as_secs());
        }
        tokio::time::sleep(EVERY).await;
    }
}
