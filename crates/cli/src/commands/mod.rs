//! One file a command; `desk` and `told` are what purges and warms share.

pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod deployments;
mod desk;
pub(crate) mod doctor;
pub(crate) mod events;
mod junit;
pub(crate) mod mark;
pub(crate) mod purge;
pub(crate) mod rules;
pub(crate) mod scan;
pub(crate) mod scrape;
pub(crate) mod serve;
pub(crate) mod snapshot;
pub(crate) mod strategy;
mod told;
pub(crate) mod warm;
pub(crate) mod watch;
