//! Every way Cachescope observes a cache: I/O in, plain observations out.
//!
//! One file a source; each has a `run` that ends only when its [`context::SourceContext`] is cancelled and
//! reports trouble as a status instead of giving up. No verdicts here: what observations mean is the engine's.

pub mod context;
pub mod error;
pub mod http;
pub mod prometheus;
pub mod redis;
pub mod ssh;
