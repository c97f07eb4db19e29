//! From observations to readings, without a clock, a network or a thread.

pub mod matcher;
mod window;
