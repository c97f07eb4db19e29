//! From observations to readings, without a clock, a network or a thread.
//!
//! [`Engine`] takes what sources saw ([`cachescope_model::observation`]) and says at any moment and over any
//! window what it means ([`cachescope_model::snapshot`]). Time is an argument. In the order in which a value
//! passes through:
//!
//! - [`matcher`], `discovery`, `rows`: which namespace a key belongs to
//! - `server`: INFO's counters as differences; `events`: misses and their causes; `applications`: what the
//!   application counts itself; `scan`: keys, bytes and times to live; `execution`: how long sampled commands ran;
//!   `tenants`: scans and events by tenant
//! - `sample`: lookups by namespace from bursts of commands
//! - `keys`: which keys are looked up and missed most
//! - `command_times`: how long read commands run inside the server; `probes`: our own round trips
//! - `window`: counts over time, bounded
//! - `readings`: the figures with their certainty; `history`, `cause_history`: the same as a series
//! - [`rules`]: which figures are past their documented thresholds, and since when
//!
//! Deliberately not here: I/O, and anything that is kept beyond the process.

mod applications;
mod cause_history;
mod command_times;
mod discovery;
mod engine;
mod events;
mod execution;
mod hash;
mod history;
mod keys;
mod masking;
pub mod matcher;
mod probes;
mod readings;
mod rows;
pub mod rules;
mod sample;
mod scan;
mod server;
mod short_list;
mod tenants;
pub mod triage;
mod window;

pub use engine::{Engine, EngineOptions};
pub use history::HistoryQuery;
