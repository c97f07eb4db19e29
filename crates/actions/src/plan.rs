//! What is to be done: pure data, printable, and known by its hash.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use cachescope_model::deployment::DeploymentId;
use cachescope_model::duration;
use cachescope_model::key::{parse_printable, printable};
use cachescope_model::visible::visible;
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::request::HttpRequest;
use crate::warm::Warm;

/// A key, at the wire as one line of text with everything that can't be printed escaped, without loss.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct KeyName(pub Vec<u8>);

impl TryFrom<String> for KeyName {
    type Error = String;

    fn try_from(line: String) -> Result<Self, String> {
        parse_printable(&line).map(Self).ok_or_else(|| format!("{line:?} ends within an escape"))
    }
}

impl From<KeyName> for String {
    fn from(key: KeyName) -> Self {
        printable(&key.0)
    }
}

/// Which keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    /// Just these.
    Keys {
        /// The keys.
        keys: Vec<KeyName>,
        /// Their logical database.
        database: u16,
    },
    /// Those that a Redis glob matches.
    Pattern {
        /// The glob.
        pattern: String,
        /// Only in this logical database; in every one where not given.
        database: Option<u16>,
    },
    /// Those of a namespace: named by its template and by no more specific one of the strategy.
    Namespace {
        /// Its template.
        template: String,
        /// Fields with the value that they must have, such as the tenant's.
        fields: BTreeMap<String, String>,
        /// Only keys whose version, a field of digits, is below this one.
        stale_below: Option<StaleBelow>,
        /// Only in this logical database; in every one where not given.
        database: Option<u16>,
    },
    /// The members of a tag's set.
    Tag {
        /// The key of the set, such as `tag:tenant:7`.
        set: KeyName,
        /// Its logical database.
        database: u16,
    },
}

/// Which versions are stale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct StaleBelow {
    /// The field that holds the version.
    pub field: String,
    /// The lowest version that stays.
    pub version: u64,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys { keys, .. } => match keys.as_slice() {
                [key] => f.write_str(&printable(&key.0)),
                keys => write!(f, "{} named keys", keys.len()),
            },
            Self::Pattern { pattern, .. } => write!(f, "keys like {}", printable(pattern.as_bytes())),
            Self::Namespace { template, fields, stale_below, .. } => {
                write!(f, "keys of {}", visible(template))?;
                for (name, value) in fields {
                    write!(f, ", {name} {}", printable(value.as_bytes()))?;
                }
                if let Some(stale) = stale_below {
                    write!(f, ", {} below {}", stale.field, stale.version)?;
                }
                Ok(())
            }
            Self::Tag { set, .. } => write!(f, "keys in the set {}", printable(&set.0)),
        }
    }
}

/// What one step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Removes keys (`UNLINK`).
    Remove {
        /// Which.
        scope: Scope,
    },
    /// Shortens times to live (`PEXPIRE … LT`), and never lengthens one.
    Soften {
        /// Of which keys.
        scope: Scope,
        /// The longest that is left, in milliseconds.
        ttl_ms: u64,
        /// How much less it may be, at random, in milliseconds.
        jitter_ms: u64,
    },
    /// Counts a version up (`INCR`), so that keys of the old one are no longer read.
    BumpVersion {
        /// The counter.
        key: KeyName,
        /// Its logical database.
        database: u16,
    },
    /// Publishes a message that makes instances drop their in-process entries.
    Publish {
        /// The channel.
        channel: String,
        /// The message.
        message: String,
    },
    /// Fills keys.
    Warm {
        /// How.
        warm: Warm,
    },
    /// Replaces values a few keys at a time: each few are removed, or softened, and loaded again before the next.
    Refresh {
        /// Which keys.
        scope: Scope,
        /// The longest that is left to a key instead of its removal, in milliseconds, for endpoints that store anew
        /// what is still there.
        #[ts(type = "number | null")]
        soften_ms: Option<u64>,
        /// How they are loaded: a request for each; the keys are those of the scope.
        warm: Warm,
    },
    /// Asks somebody else over HTTP.
    Request {
        /// What for, in words.
        what: String,
        /// What is sent.
        request: HttpRequest,
        /// The keys that it is understood to remove; they are counted, and the guards judge them.
        reaches: Option<Scope>,
    },
    /// Nothing that is done from here: by somebody else, by itself, or by a way that this version has not.
    Shown {
        /// What, in words.
        what: String,
        /// Who does it, or why it is not done from here.
        by: String,
    },
}

impl Action {
    /// The keys it reaches; `None` where it reaches none.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        match self {
            Self::Remove { scope } | Self::Soften { scope, .. } | Self::Refresh { scope, .. } => Some(scope),
            Self::Request { reaches, .. } => reaches.as_ref(),
            _ => None,
        }
    }

    /// Whether it removes keys, which can then be kept for undo.
    #[must_use]
    pub fn removes(&self) -> bool {
        matches!(self, Self::Remove { .. } | Self::Refresh { soften_ms: None, .. })
    }

    /// Up to how long it lets keys live that it does not remove, and how much less at random, in milliseconds.
    #[must_use]
    pub fn softens(&self) -> Option<(u64, u64)> {
        match self {
            Self::Soften { ttl_ms, jitter_ms, .. } => Some((*ttl_ms, *jitter_ms)),
            Self::Refresh { soften_ms: Some(ttl_ms), .. } => Some((*ttl_ms, 0)),
            _ => None,
        }
    }

    /// What it fills, where it fills something.
    #[must_use]
    pub fn warm(&self) -> Option<&Warm> {
        match self {
            Self::Warm { warm } | Self::Refresh { warm, .. } => Some(warm),
            _ => None,
        }
    }

    /// Whether the keys of its scope are gone through from here.
    #[must_use]
    pub fn works_on_keys(&self) -> bool {
        matches!(self, Self::Remove { .. } | Self::Soften { .. } | Self::Refresh { .. })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove { scope } => write!(f, "delete {scope}"),
            Self::Soften { scope, ttl_ms, jitter_ms } => {
                write!(f, "let {scope} live {} at most", duration::format(Duration::from_millis(*ttl_ms)))?;
                if *jitter_ms == 0 {
                    return Ok(());
                }
                write!(f, ", less up to {}", duration::format(Duration::from_millis(*jitter_ms)))
            }
            Self::BumpVersion { key, .. } => write!(f, "count {} up", printable(&key.0)),
            Self::Publish { channel, message } => {
                write!(f, "publish {} on {}", visible(message), visible(channel))
            }
            Self::Warm { warm } => write!(f, "{warm}"),
            Self::Refresh { scope, warm, .. } => write!(f, "replace {scope} a few at a time: {warm}"),
            Self::Request { what, request, .. } => write!(f, "{what}: {} {}", request.method, request.url),
            Self::Shown { what, by } => write!(f, "{what} ({by})"),
        }
    }
}

/// How it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(default)]
pub struct HowToRun {
    /// Keep what is removed, so that it can be put back. What can't be kept is then not removed.
    pub undo: bool,
    /// Work at the pace that other clients don't feel, instead of as fast as the server can.
    pub throttle: bool,
    /// How long the server is watched after the first 1 % and after the first 10 %, in milliseconds; 0 makes one
    /// wave of it.
    pub watch_between_waves_ms: u64,
    /// Remove keys of protected namespaces too.
    pub protected_too: bool,
    /// Go beyond the limit of the share of all keys and of all reads.
    pub beyond_limits: bool,
}

impl Default for HowToRun {
    fn default() -> Self {
        Self {
            undo: true,
            throttle: true,
            watch_between_waves_ms: 10_000,
            protected_too: false,
            beyond_limits: false,
        }
    }
}

/// A plan: what, where, how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Plan {
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// What people call it: `On new invoice`.
    pub title: String,
    /// What is done, in order.
    pub steps: Vec<Action>,
    /// How it is done.
    pub how: HowToRun,
}

impl Plan {
    /// Whether it removes keys somewhere.
    #[must_use]
    pub fn removes(&self) -> bool {
        self.steps.iter().any(Action::removes)
    }

    /// Whether all that it does is to fill keys: nothing that is there is touched.
    #[must_use]
    pub fn only_warms(&self) -> bool {
        self.does_only(|step| matches!(step, Action::Warm { .. }))
    }

    /// Whether all that it does is to remove keys: memory can only become less.
    #[must_use]
    pub fn only_removes(&self) -> bool {
        self.does_only(|step| matches!(step, Action::Remove { .. }))
    }

    fn does_only(&self, this: impl Fn(&Action) -> bool) -> bool {
        let mut done = self.steps.iter().filter(|step| !matches!(step, Action::Shown { .. })).peekable();
        done.peek().is_some() && done.all(this)
    }

    /// What it is called in the audit.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.only_warms() { "warm" } else { "purge" }
    }

    /// SHA-256 over the plan's canonical JSON, in hexadecimal: two plans with one hash do the same.
    ///
    /// # Errors
    /// When it can't be written as JSON, which would be a defect.
    pub fn hash(&self) -> Result<String, serde_json::Error> {
        canonical::hash(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            deployment: DeploymentId("d".to_owned()),
            title: "Delete".to_owned(),
            steps: vec![Action::Remove {
                scope: Scope::Keys { keys: vec![KeyName(b"a\x00\xff\n\\".to_vec())], database: 3 },
            }],
            how: HowToRun::default(),
        }
    }

    #[test]
    fn a_plan_comes_back_from_its_json_with_the_same_hash_whatever_bytes_its_keys_hold() {
        let text = serde_json::to_string(&plan()).expect("it can be written");
        let back: Plan = serde_json::from_str(&text).expect("it can be read");
        assert_eq!(back, plan());
        assert_eq!(back.hash().expect("hashed"), plan().hash().expect("hashed"));
    }

    #[test]
    fn whatever_changes_a_plan_changes_its_hash() {
        let hash = plan().hash().expect("hashed");
        let mut others = vec![plan(); 4];
        others[0].how.protected_too = true;
        others[1].deployment.0.push('x');
        others[2].steps.clear();
        others[3].how.watch_between_waves_ms = 0;
        for other in others {
            assert_ne!(other.hash().expect("hashed"), hash, "{other:?}");
        }
    }
}
