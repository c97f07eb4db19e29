//! What can go wrong with a source, in one sentence, with a stable code and what to do about it.

/// What kind of thing went wrong; stable at the wire, so that shells decide by it and never by words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The address can't be read.
    BadUrl,
    /// The host name is not known.
    Dns,
    /// Nothing listens there.
    Refused,
    /// The host can't be reached: no route, no such socket file, no permission to open it.
    Unreachable,
    /// No answer within the deadline.
    Timeout,
    /// The TLS handshake failed, or one side speaks TLS and the other doesn't.
    Tls,
    /// A host's key is not known, or not the one that is.
    HostKey,
    /// No or wrong credentials.
    Auth,
    /// The user may not do this.
    Permission,
    /// Something else answers there, or the answer can't be read.
    Protocol,
    /// The server is there but can't serve now: loading, out of connections, blocked by a script.
    Busy,
    /// The server is of another kind than the one needed, such as a Sentinel where data was expected.
    WrongRole,
    /// The server is too old or of an engine that can't do this.
    Unsupported,
    /// The connection broke.
    Closed,
    /// The server answered with an error.
    Server,
    /// The answer is larger than its bound.
    TooLarge,
}

impl ErrorCode {
    /// Its name at the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadUrl => "bad_url",
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::HostKey => "host_key",
            Self::Auth => "auth",
            Self::Permission => "permission",
            Self::Protocol => "protocol",
            Self::Busy => "busy",
            Self::WrongRole => "wrong_role",
            Self::Unsupported => "unsupported",
            Self::Closed => "closed",
            Self::Server => "server",
            Self::TooLarge => "too_large",
        }
    }
}

/// One failure of a source. Its sentence names what failed and on which address; it never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct SourceError {
    code: ErrorCode,
    sentence: String,
    remedy: String,
}

impl SourceError {
    /// A failure in one clear sentence, and what to do about it (empty where nothing helps).
    #[must_use]
    pub fn new(code: ErrorCode, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into(), remedy: remedy.into() }
    }

    /// The stable code, such as `refused`, `auth` or `tls`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code.as_str()
    }

    /// The same as a value to match on.
    #[must_use]
    pub fn kind(&self) -> ErrorCode {
        self.code
    }

    /// What to do: the exact line to run or the thing to change; empty where nothing helps.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}
