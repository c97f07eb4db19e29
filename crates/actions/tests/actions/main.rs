//! Actions against real servers.

mod cluster;
mod copying;
mod guarding;
mod matching;
mod removing;
mod support;
mod warming;
