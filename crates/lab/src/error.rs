//! What can go wrong in the lab, each in one sentence that says what to do.

use std::time::Duration;

/// A failure of the lab or of a server it started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The program is not on this machine.
    #[error("{program} is not installed; on Debian or Ubuntu run `apt-get install {package}`{elsewhere}")]
    NotInstalled {
        /// The program that was looked for in `PATH`.
        program: &'static str,
        /// The Debian package that holds it.
        package: &'static str,
        /// How to get it on other systems; empty or starting with a comma.
        elsewhere: &'static str,
    },
    /// The program ended instead of serving.
    #[error("{program} ended while starting; its last words: {log}")]
    Ended {
        /// The program.
        program: &'static str,
        /// The end of its log.
        log: String,
    },
    /// The program runs but did not become ready in time.
    #[error("{program} was not ready after {} s; its last words: {log}", .after.as_secs())]
    NotReady {
        /// The program.
        program: &'static str,
        /// How long the lab waited.
        after: Duration,
        /// The end of its log.
        log: String,
    },
    /// Every port that was tried was taken by someone else in the meantime.
    #[error(
        "{program} found none of {attempts} system-chosen ports free; end what takes the ports and retry"
    )]
    NoPort {
        /// The program.
        program: &'static str,
        /// How many ports were tried.
        attempts: u32,
    },
    /// A file, directory or process could not be made.
    #[error("cannot {what}: {source}; check space and rights in the temporary directory")]
    Io {
        /// What was tried, as an infinitive.
        what: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Certificates for a TLS server could not be made.
    #[error("cannot make test certificates: {0}; this is a defect of the lab")]
    Certificates(#[from] rcgen::Error),
    /// Redis refused or could not be reached.
    #[error("cannot {what} on the lab's Redis: {source}; check that the server still runs")]
    Redis {
        /// What was tried, as an infinitive.
        what: String,
        /// The client's reason.
        source: redis::RedisError,
    },
    /// The lab plays five strategies and this is none of them.
    #[error("there is no strategy {name:?}; choose one of {known}")]
    UnknownStrategy {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The service could not fill its cache at start.
    #[error("the service cannot fill its cache: {0}")]
    WarmUp(String),
    /// An incident could not be played or undone.
    #[error("the incident stopped half-way: {0}; start the lab anew")]
    Incident(String),
    /// An incident concerns a tenant and the strategy knows none.
    #[error("the strategy {0:?} knows no tenants; choose another incident")]
    NoTenants(String),
    /// A group of servers did not agree in time.
    #[error("{what} was not reached within {} s: {seen}; retry, or look at the servers' logs", .after.as_secs())]
    NoAgreement {
        /// The state that was awaited.
        what: &'static str,
        /// How long.
        after: Duration,
        /// What was seen last.
        seen: String,
    },
}

impl LabError {
    /// Wraps a system error with what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Wraps a Redis error with what was tried.
    pub(crate) fn redis(what: impl Into<String>) -> impl FnOnce(redis::RedisError) -> Self {
        let what = what.into();
        move |source| Self::Redis { what, source }
    }
}
