//! HTTP: one client for every address, the source that fetches exposition pages, and calls of an application's endpoints.

pub mod address;
pub mod call;
pub mod client;
mod failure;
pub mod metrics;
mod public_only;
mod tunnelled;
mod webhook;

pub use address::{Address, Credentials};
pub use call::{Call, CallOptions, Called, Caller};
pub use client::{Answer, HttpClient, HttpOptions};
pub use public_only::is_private;
pub use webhook::Webhook;
