//! Actions against real servers.

mod asking;
mod cluster;
mod copying;
mod faults;
mod guarding;
mod matching;
mod removing;
mod support;
mod warming;
