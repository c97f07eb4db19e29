//! One `prometheus-alertmanager`.

use tempfile::TempDir;

use super::port::free_port;
use super::process::{PORT_ATTEMPTS, Process, Program, Started, state_directory, write_private};
use crate::error::LabError;

const ALERTMANAGER: Program = Program {
    name: "prometheus-alertmanager",
    package: "prometheus-alertmanager",
    elsewhere: ", elsewhere see https://prometheus.io/download/",
    ready: "Listening",
};

/// It tells nobody: what it was told is asked of it.
const CONFIGURATION: &str = "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n";

/// A running Alertmanager that keeps what it is told. Dropping it ends the process and removes its data.
#[derive(Debug)]
pub struct Alertmanager {
    process: Process,
    port: u16,
    _directory: TempDir,
}

impl Alertmanager {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// When it is not installed or does not become ready.
    pub async fn start() -> Result<Self, LabError> {
        let directory = state_directory("alertmanager")?;
        let at = |name: &str| directory.path().join(name);
        write_private(&at("alertmanager.yml"), CONFIGURATION)?;
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            let arguments = [
                format!("--config.file={}", at("alertmanager.yml").display()),
                format!("--storage.path={}", at("data").display()),
                format!("--web.listen-address=127.0.0.1:{port}"),
                // Alone: it looks for no peers.
                "--cluster.listen-address=".to_owned(),
            ];
            if let Started::Ready(process) =
                Process::start(ALERTMANAGER, &arguments, directory.path()).await?
            {
                return Ok(Self { process, port, _directory: directory });
            }
        }
        Err(LabError::NoPort { program: ALERTMANAGER.name, attempts: PORT_ATTEMPTS })
    }

    /// Its base URL without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}
