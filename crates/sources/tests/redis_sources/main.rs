//! The sources that read Redis, against real servers.

mod capabilities;
mod commands;
mod connect;
mod events;
mod info;
mod latencies;
mod observer;
mod scan;
mod settings;
mod slow_log;
mod watch;
