//! What Prometheus knows or could know: exposition pages as it would store them, and its HTTP API.

pub mod exposition;
