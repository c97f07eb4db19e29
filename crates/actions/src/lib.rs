//! Everything that writes to a cache: plan → preview → approval → run → verify → undo.

pub mod canonical;
pub mod guards;
pub mod plan;
pub mod preview_result;
pub mod run_state;
