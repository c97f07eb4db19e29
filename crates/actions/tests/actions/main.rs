//! Actions against real servers.

mod asking;
mod cluster;
mod faults;
mod guarding;
mod matching;
mod removing;
mod support;
