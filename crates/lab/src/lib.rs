//! The lab: a cache-aside service with known truth, its servers, its traffic and its incidents.
//!
//! It is the demo, and it is the truth of every test: what Cachescope says about a cache is compared with
//! what the lab's ledger knows. Everything it starts is local, on ports the system chose, with its state in
//! temporary directories, and ends with the value that owns it.

pub mod cache;
mod control;
pub mod database;
pub mod eavesdropper;
pub mod error;
pub mod http;
pub mod incident;
pub mod keyring;
mod lab;
pub mod ledger;
pub mod metrics;
pub mod namespace;
pub mod servers;
pub mod service;
pub mod traffic;
pub mod workload;

pub use error::LabError;
pub use lab::{Lab, LabOptions, SCRAPE_JOB};
