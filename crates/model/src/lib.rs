//! The words of Cachescope as types.
//!
//! Everything that travels between the parts is declared here: what a source reports
//! ([`observation`]), what the engine says ([`snapshot`], [`reading`]), what a strategy file documents
//! ([`strategy`]), and the two registries from which help texts, documentation, the capability screen and
//! the tests follow ([`source`] and [`reading_kind`]).
//!
//! Deliberately not here: I/O, async, clocks, and anything that only one shell needs.

pub mod alert;
pub mod contents;
pub mod deployment;
pub mod duration;
pub mod events;
pub mod glob;
pub mod key;
pub mod keys;
pub mod marks;
pub mod metrics;
pub mod misses;
pub mod observation;
pub mod read_commands;
pub mod reading;
pub mod reading_kind;
pub mod row_readings;
pub mod sample;
pub mod scan;
pub mod server;
pub mod size;
pub mod slow_command;
pub mod snapshot;
pub mod source;
pub mod strategy;
pub mod telling;
pub mod template;
pub mod time;
pub mod topology;
pub mod triage;
pub mod visible;
pub mod window;
pub mod words;
