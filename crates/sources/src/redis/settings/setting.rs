//! Which settings, and how a change of one is written.

/// A setting that Cachescope may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// `notify-keyspace-events`: a set of flags, merged with what is set.
    Events,
    /// `slowlog-log-slower-than`, in microseconds: 0 logs every command, a negative one none.
    SlowLogThreshold,
    /// `slowlog-max-len`: entries that the slow log holds.
    SlowLogLength,
}

impl Setting {
    /// Its name, as `CONFIG SET` takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "notify-keyspace-events",
            Self::SlowLogThreshold => "slowlog-log-slower-than",
            Self::SlowLogLength => "slowlog-max-len",
        }
    }

    /// The setting of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Events, Self::SlowLogThreshold, Self::SlowLogLength]
            .into_iter()
            .find(|setting| setting.name() == name)
    }
}

/// The command that sets it, as it is typed.
#[must_use]
pub fn config_set(setting: Setting, value: &str) -> String {
    let value = if value.is_empty() { "\"\"" } else { value };
    format!("CONFIG SET {} {value}", setting.name())
}
