//! Rules: from figures to alerts, by Prometheus's states.
//!
//! An [`Evaluator`] holds the rules of one deployment. Each [`evaluate`](Evaluator::evaluate) takes a time and
//! what was measured ([`Inputs`]) and gives the [`Transition`](cachescope_model::alert::Transition)s it caused.
//! Time is an argument, and nothing here asks a server.
//!
//! - [`inputs`]: what is handed over; `selection`: which samples a rule's subject picks from it
//! - [`sample`]: one figure, and whether it is past a threshold, certainly or not
//! - [`machine`]: inactive, pending, firing, resolved, as Prometheus's `rules/alerting.go` moves alerts
//! - `outage`: what a restart or a sleep does to them
//! - [`evaluator`]: all rules of a deployment; [`schedule`]: when they are due
//!
//! Deliberately not here: silences, acknowledgements, notifications, PromQL.

pub mod evaluator;
pub mod inputs;
pub mod machine;
mod outage;
pub mod sample;
pub mod schedule;
mod selection;

pub use evaluator::{Evaluator, EvaluatorOptions, Needs};
pub use inputs::{Inputs, QueryAnswer};
pub use machine::{AlertMachine, RESOLVED_RETENTION};
pub use outage::{FOR_GRACE_PERIOD, OUTAGE_TOLERANCE};
pub use sample::{Sample, Verdict};
pub use schedule::Schedule;
