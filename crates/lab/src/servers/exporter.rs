//! One `prometheus-redis-exporter`.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::port::free_port;
use super::process::{PORT_ATTEMPTS, Process, Program, Started, state_directory};
use crate::error::LabError;

/// It says so right before it binds its port.
const EXPORTER: Program = Program {
    name: "prometheus-redis-exporter",
    package: "prometheus-redis-exporter",
    elsewhere: ", elsewhere see https://github.com/oliver006/redis_exporter/releases",
    ready: "Providing metrics at",
};

/// How long it may take from announcing its port to accepting on it.
const ACCEPTS_WITHIN: Duration = Duration::from_secs(10);

/// A running exporter for one Redis. Dropping it ends the process.
#[derive(Debug)]
pub struct RedisExporter {
    process: Process,
    port: u16,
    _directory: TempDir,
}

impl RedisExporter {
    /// Starts an exporter of the server at `redis_url` and waits until it serves.
    ///
    /// # Errors
    /// When it is not installed or does not become ready.
    pub async fn start(redis_url: &str) -> Result<Self, LabError> {
        Self::start_with(redis_url, &[]).await
    }

    /// The same with further flags.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(redis_url: &str, flags: &[&str]) -> Result<Self, LabError> {
        let directory = state_directory("exporter")?;
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            let mut arguments = vec![
                format!("-web.listen-address=127.0.0.1:{port}"),
                format!("-redis.addr={}", redis_url.trim_end_matches('/')),
            ];
            arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
            if let Started::Ready(process) = Process::start(EXPORTER, &arguments, directory.path()).await? {
                let begun = Instant::now();
                while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                    if begun.elapsed() > ACCEPTS_WITHIN {
                        let log = "it announced its port and does not accept on it".to_owned();
                        return Err(LabError::NotReady {
                            program: EXPORTER.name,
                            after: ACCEPTS_WITHIN,
                            log,
                        });
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                return Ok(Self { process, port, _directory: directory });
            }
        }
        Err(LabError::NoPort { program: EXPORTER.name, attempts: PORT_ATTEMPTS })
    }

    /// Its base URL; the page is at `/metrics`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// `127.0.0.1:PORT`, as a scrape target.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}
