//! Everything that writes to a cache: plan → preview → approval → run → verify → undo.
//!
//! | question | module |
//! |---|---|
//! | what is to be done? | [`plan`], [`warm`], [`placeholders`], `breadth`, [`selection`] |
//! | what would it do? | [`mod@preview`], [`preview_result`], `feed`, `tags`, `tally`, `uses`, [`reads`], `permission` |
//! | may it? | [`guards`], [`approval`], [`clock`], `lock`, [`operator`] |
//! | how is it done? | [`run`], [`run_state`], `pace`, [`request`] |
//! | how is it put back? | [`undo`] |
//! | who keeps what is written down? | [`records`] |
//!
//! Deliberately not here: SQL, sessions, the wire, and how figures come about.

pub mod approval;
mod breadth;
pub mod canonical;
pub mod clock;
mod failure;
mod feed;
pub mod guards;
mod lock;
pub mod operator;
mod pace;
mod permission;
pub mod placeholders;
pub mod plan;
pub mod preview;
pub mod preview_result;
pub mod reads;
pub mod records;
pub mod request;
pub mod run;
pub mod run_state;
pub mod selection;
pub mod servers;
pub mod stretch;
mod tags;
mod tally;
pub mod undo;
mod uses;
pub mod warm;

pub use failure::{Failure, FailureKind};
