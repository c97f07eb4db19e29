//! Why the cache could not do something.

/// A failure of the cache service. The reasons are words, because waiters of one flight share them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Redis did not answer in time, or the connection broke while it worked.
    #[error("Redis did not answer: {0}; the service goes on without cache")]
    NoAnswer(String),
    /// Redis could not be reached, or failed a moment ago and is left alone.
    #[error("Redis is away: {0}; the service goes on without cache")]
    Away(String),
    /// Redis answered with an error.
    #[error("Redis refused: {0}; check the command and the user's rights")]
    Refused(String),
    /// A stored value could not be read.
    #[error("the value of {key:?} cannot be read: {reason}; delete the key to have it loaded again")]
    Value {
        /// The key.
        key: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// The loader failed.
    #[error("cannot load {key:?}: {reason}; retry later")]
    Load {
        /// The key.
        key: String,
        /// What the loader said.
        reason: String,
    },
}

impl CacheError {
    /// Whether Redis may have executed the command although no answer came.
    pub(super) fn may_have_run(&self) -> bool {
        matches!(self, Self::NoAnswer(_))
    }

    /// Whether Redis is to be left alone for a moment.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::Away(_))
    }
}

impl std::convert::From<redis::RedisError> for CacheError {
    fn from(error: redis::RedisError) -> Self {
        let reason = error.to_string();
        if error.is_connection_refusal() {
            Self::Away(reason)
        } else if error.is_timeout() || error.is_connection_dropped() || error.is_io_error() {
            Self::NoAnswer(reason)
        } else {
            Self::Refused(reason)
        }
    }
}
