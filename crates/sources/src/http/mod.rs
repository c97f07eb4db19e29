//! Metrics over HTTP: one client for every address, and the source that fetches exposition pages.

pub mod address;
pub mod client;
mod failure;
pub mod metrics;
mod public_only;
mod webhook;

pub use address::{Address, Credentials};
pub use client::{Answer, HttpClient, HttpOptions};
pub use webhook::Webhook;
