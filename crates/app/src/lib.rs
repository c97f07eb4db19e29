//! Sessions, use cases and the wire contract, generic over the host.
//!
//! | question | module |
//! |---|---|
//! | what can a shell ask, and what comes back? | [`wire`] |
//! | who answers? | [`app`], generic over its [`host`] |
//! | how is one deployment watched? | [`session`] |
//! | how does a typed form become a deployment? | [`deployments`], [`connection_test`], [`doctor`], [`strategies`] |
//! | which key of an SSH server may be trusted? | `host_keys`; `tokens`, as for every approval but an action's |
//! | how do found namespaces get into a strategy file? | [`adoption`] |
//! | what stands at the usual places beside a Redis? | [`finding`] |
//! | how do deployments come from a file, and go into one? | [`transfer`] |
//! | what is shown? | [`rows`], [`export`], [`exposition`], `detail`, `history`, `frames`, `frame_size`, `watch` |
//! | how are rules tried out over recorded figures, and their files read? | [`backtest`](mod@backtest), [`rule_files`] |
//! | which alerts fire, what are they about, who is told? | [`alerts`] |
//! | what does a source cost, and who puts back what it changes? | [`prices`], [`custody`] |
//! | how is a cache purged, and who says so? | [`actions`] |
//! | where does a link lead, and which window shows it? | [`places`] |
//! | how does the demo run? | [`demo`] |
//! | how does a program answer the questions of an `ssh` that it started? | [`askpass`] |
//!
//! Deliberately not here: Tauri, terminals, the Redis protocol, SQL, and how figures come about.

pub mod actions;
pub mod adoption;
pub mod alerts;
pub mod app;
pub mod backtest;
pub mod connection_test;
pub mod custody;
pub mod demo;
pub mod deployments;
mod detail;
pub mod doctor;
mod document;
mod error;
pub mod export;
pub mod exposition;
pub mod filter;
pub mod finding;
mod frame_size;
mod frames;
mod history;
pub mod host;
mod host_keys;
pub mod places;
pub mod prices;
pub mod rows;
pub mod rule_files;
pub mod secrets;
pub mod session;
pub mod strategies;
mod tokens;
pub mod transfer;
mod watch;
pub mod wire;

pub use alerts::Pace;
pub use alerts::notice::{Notice, Standing};
pub use app::App;
pub use cachescope_sources::ssh::askpass;
pub use host::Host;
pub use watch::Watch;
