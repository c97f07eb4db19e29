//! Sources that read a Redis server (or one that speaks its protocol).
//!
//! `target` says where, `connect` gets there, `node` shares it; `info`, `events`, `commands`, `slow_log` and `scan`
//! are the sources; `stages` says which stage of connecting fails, and `capabilities` beforehand which of
//! the sources work here; `settings` are those that may be changed for them. `acting` is the connection of those who change keys.

pub mod acting;
mod background;
mod backoff;
pub mod capabilities;
mod command;
pub mod commands;
mod connect;
mod diagnose;
mod event_flags;
pub mod events;
mod failure;
mod feed;
mod hello;
pub mod info;
mod info_reply;
mod latency_histogram;
mod leisurely;
mod link;
mod load;
mod node;
mod nodes;
mod permissions;
pub mod probe;
mod probe_key;
mod raw;
pub mod scan;
pub mod settings;
pub mod slow_log;
pub mod stages;
mod stream;
mod target;
mod tls;
pub mod topology;

pub(crate) use backoff::Backoff;
pub use connect::{CLIENT_NAME, ConnectOptions};
pub use hello::ServerHello;
pub use info_reply::walks_over_tables;
pub use node::{Gate, RedisNode};
pub use nodes::RedisNodes;
pub(crate) use stream::lower_first;
pub use target::{DEFAULT_PORT, Endpoint, RedisTarget};
pub use tls::TlsOptions;
pub use topology::RedisAddress;
