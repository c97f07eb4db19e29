//! Sources that read a Redis server (or one that speaks its protocol).
//!
//! `target` says where, `connect` gets there, `node` shares it; `info`, `events` and `scan` are the sources;
//! `capabilities` says beforehand which of them work here.

mod backoff;
mod connect;
mod failure;
mod node;
mod stream;
mod target;
mod tls;

pub use connect::{CLIENT_NAME, ConnectOptions, ServerHello};
pub use node::{Gate, RedisNode};
pub use target::{DEFAULT_PORT, Endpoint, RedisTarget};
pub use tls::TlsOptions;
