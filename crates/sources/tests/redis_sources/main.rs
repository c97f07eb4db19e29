//! The sources that read Redis, against real servers.

mod capabilities;
mod commands;
mod commands_end;
mod commands_trouble;
mod connect;
mod events;
mod info;
mod latencies;
mod lookups;
mod observer;
mod probe;
mod scan;
mod scan_slots;
mod settings;
mod slow_log;
mod stages;
mod watch;
