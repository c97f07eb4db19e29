//! Alerts from end to end: a real server, real receivers, a host that is nothing but the trait.

#[cfg(target_os = "linux")]
mod desktop;
mod receivers;
mod support;

mod foreign;
mod kept;
mod told;
