//! Actions against real servers.

mod cluster;
mod guarding;
mod matching;
mod removing;
mod support;
