//! What Prometheus knows or could know: exposition pages as it would store them, and its HTTP API.
//!
//! [`exposition`] reads pages, [`query`] and [`rules`] speak to a server, [`source`] is the source `prometheus`, and
//! [`names`] says which series are about a cache.

mod answer;
pub mod exposition;
pub mod names;
mod number;
pub mod query;
pub mod rules;
pub mod source;

pub use answer::{BuildInfo, Series, Value};
pub use query::{PrometheusClient, Queried};
pub use source::{PrometheusQueries, PrometheusTarget};
