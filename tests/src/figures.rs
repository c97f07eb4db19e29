//! The command's JSON, read by name.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

/// What `cachescope snapshot --json` printed.
#[derive(Clone, Debug)]
pub struct Figures(Value);

impl Figures {
    /// Takes what was printed.
    #[must_use]
    pub fn new(printed: Value) -> Self {
        Self(printed)
    }

    /// A reading of the whole deployment; `None` where it is unavailable.
    #[must_use]
    pub fn instance(&self, kind: &str) -> Option<f64> {
        self.0["instance"][kind]["value"].as_f64()
    }

    /// The namespaces by template.
    ///
    /// # Errors
    /// When there are none.
    pub fn namespaces(&self) -> Result<BTreeMap<String, Namespace>> {
        let rows = self.0["namespaces"].as_array().context("the command printed no namespaces")?;
        let named =
            |row: &Value| (row["namespace"].as_str().unwrap_or_default().to_owned(), Namespace(row.clone()));
        Ok(rows.iter().map(named).collect())
    }

    /// How a source is doing, in one line.
    #[must_use]
    pub fn source(&self, name: &str) -> String {
        let sources = self.0["sources"].as_array().into_iter().flatten();
        let of_that_name = |status: &&Value| status["source"] == name;
        sources
            .filter(of_that_name)
            .map(|status| format!("{} {}", status["health"], status["detail"]))
            .collect()
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct Namespace(Value);

impl Namespace {
    /// One of its readings; `None` where it is unavailable.
    #[must_use]
    pub fn reading(&self, kind: &str) -> Option<f64> {
        self.0["readings"][kind]["value"].as_f64()
    }

    /// Low end, value and high end of one of its readings; `None` where it is unavailable.
    #[must_use]
    pub fn interval(&self, kind: &str) -> Option<[f64; 3]> {
        let reading = &self.0["readings"][kind];
        Some([reading["low"].as_f64()?, reading["value"].as_f64()?, reading["high"].as_f64()?])
    }

    /// Where a reading comes from, in words; empty where it has none.
    #[must_use]
    pub fn source(&self, kind: &str) -> &str {
        self.0["readings"][kind]["source"].as_str().unwrap_or_default()
    }

    /// Its misses over the window, as events showed them.
    #[must_use]
    pub fn misses(&self) -> u64 {
        let causes = self.0["miss_causes"].as_object();
        causes.into_iter().flat_map(|causes| causes.values()).filter_map(Value::as_u64).sum()
    }
}
