//! Alerts from end to end: a real server, real receivers, a host that is nothing but the trait.

mod receivers;
mod support;

mod foreign;
mod kept;
mod told;
