//! Real servers on this machine: Redis in its three forms, Prometheus, the Redis exporter and an SSH server.
//!
//! Each listens on a port of 127.0.0.1 that the system chose, keeps its state in a temporary directory,
//! is awaited until it serves, and is ended by its process id when its value is dropped, also by a panic.

mod alertmanager;
mod certificates;
mod cluster;
mod exporter;
mod passwords;
mod port;
mod process;
mod prometheus;
mod redis_server;
mod sentinel;
mod ssh_server;

pub use alertmanager::Alertmanager;
pub use certificates::Certificates;
pub use cluster::RedisCluster;
pub use exporter::RedisExporter;
pub use port::free_port;
pub use prometheus::{PrometheusOptions, PrometheusServer, ScrapeJob};
pub use redis_server::{RedisOptions, RedisServer};
pub use sentinel::{SentinelGroup, SentinelOptions};
pub use ssh_server::{KnownAs, LetsIn, SshAgent, SshOptions, SshServer};

/// Chooses ring for TLS in this process, unless a provider was chosen before.
pub fn install_crypto() {
    // An error means that a provider is installed, which is all that is wanted.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
}
