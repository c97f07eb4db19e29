//! What a warm fills, from where and how gently: pure data, part of a plan. A field that is not known is refused: half
//! understood, a plan could do more than was meant.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::{KeyName, Scope};

/// One warm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(deny_unknown_fields)]
pub struct Warm {
    /// What it fills, in words: `the five tiles`.
    pub what: String,
    /// By which way.
    pub way: WarmWay,
    /// How gently.
    #[serde(default)]
    pub limits: WarmLimits,
    /// What counts as success.
    #[serde(default)]
    pub success: Success,
    /// Templates of the namespaces it is to fill: their hit rate is looked at before and after.
    #[serde(default)]
    pub namespaces: Vec<String>,
}

/// By which way keys are filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "way", rename_all = "snake_case", deny_unknown_fields)]
pub enum WarmWay {
    /// One request, upon which the application does the rest.
    Request {
        /// Where to.
        endpoint: Endpoint,
        /// Keys that must be there afterwards; none where that is not known.
        keys: Vec<KeyName>,
        /// Their logical database.
        database: u16,
    },
    /// One request for each key.
    RequestEach {
        /// Where to; `{field}` in URL, headers and body is the key's field of that name.
        endpoint: Endpoint,
        /// The template that names the keys.
        template: String,
        /// The keys, in the order in which they are loaded.
        keys: Vec<KeyName>,
        /// Their logical database.
        database: u16,
    },
    /// Copied as they are, never over a key that exists.
    Copy {
        /// From where.
        from: CopyFrom,
        /// Which keys; `None`, which only an undo file may have, is all that it holds.
        scope: Option<Scope>,
        /// By how much a time to live is shortened at most, at random, in percent of it; 0 keeps it.
        jitter_percent: u32,
    },
}

/// Where values are copied from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum CopyFrom {
    /// Another deployment, a server or a replica.
    Deployment {
        /// Its address as it may be shown, or the deployment's name.
        name: String,
    },
    /// The undo file of a run.
    Undo {
        /// The run.
        run: String,
    },
}

/// An endpoint of the application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Headers without secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body; empty for none.
    #[serde(default)]
    pub body: String,
    /// A header that holds a secret, of which the plan knows only the name.
    #[serde(default)]
    pub secret: Option<SecretHeader>,
    /// Whether it may be in a private network or on this machine.
    #[serde(default)]
    pub private_addresses: bool,
}

/// A header with a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(deny_unknown_fields)]
pub struct SecretHeader {
    /// The header, such as `Authorization`.
    pub header: String,
    /// What stands before the secret, such as `Bearer `.
    pub prefix: String,
    /// The name under which the secret is kept.
    pub name: String,
}

impl SecretHeader {
    /// A token of the bearer (RFC 6750), kept under this name.
    #[must_use]
    pub fn bearer(name: &str) -> Self {
        Self { header: "Authorization".to_owned(), prefix: "Bearer ".to_owned(), name: name.to_owned() }
    }
}

/// How gently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(default, deny_unknown_fields)]
pub struct WarmLimits {
    /// Requests a minute at most.
    pub per_minute: u32,
    /// Requests at a time at most.
    pub concurrency: u32,
    /// Bytes of all answers at most.
    #[ts(type = "number")]
    pub most_bytes: u64,
    /// Bytes of one answer at most.
    pub most_bytes_of_answer: u32,
    /// Share of requests that may fail or fill nothing, in percent.
    pub errors_percent: u32,
    /// Errors at most, whatever their share; 0 for no such limit.
    pub most_errors: u32,
    /// Deadline of one request, in milliseconds.
    pub timeout_ms: u32,
    /// How often a request that failed for a while is repeated.
    pub retries: u32,
}

impl Default for WarmLimits {
    fn default() -> Self {
        Self {
            per_minute: 600,
            concurrency: 4,
            most_bytes: 256 << 20,
            most_bytes_of_answer: 4 << 20,
            errors_percent: 10,
            most_errors: 0,
            timeout_ms: 10_000,
            retries: 2,
        }
    }
}

/// What counts as success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(default, deny_unknown_fields)]
pub struct Success {
    /// Statuses that are good; none named: 200 to 299.
    pub statuses: Vec<u16>,
    /// Whether the key must be there afterwards.
    pub exists: bool,
    /// The time to live that it must then have, about, in milliseconds.
    #[ts(type = "number | null")]
    pub ttl_ms: Option<u64>,
    /// How far from that it may be, in percent.
    pub ttl_percent: u32,
    /// A key that is there is loaded all the same where it lives shorter than this, in milliseconds.
    #[ts(type = "number")]
    pub refresh_below_ms: u64,
}

impl Default for Success {
    fn default() -> Self {
        Self { statuses: Vec::new(), exists: true, ttl_ms: None, ttl_percent: 25, refresh_below_ms: 0 }
    }
}

impl Success {
    /// Whether a status is a good one.
    #[must_use]
    pub fn is_good(&self, status: u16) -> bool {
        if self.statuses.is_empty() { (200..300).contains(&status) } else { self.statuses.contains(&status) }
    }

    /// Whether a key with so many milliseconds left (`None` for ever) lives about as long as is documented.
    #[must_use]
    pub fn lives_right(&self, left_ms: Option<u64>) -> bool {
        let Some(wanted) = self.ttl_ms else { return true };
        let apart = wanted.saturating_mul(u64::from(self.ttl_percent)) / 100;
        left_ms.is_some_and(|left| left.abs_diff(wanted) <= apart.max(2_000))
    }

    /// Whether a key that is there must be loaded all the same.
    #[must_use]
    pub fn is_due(&self, left_ms: Option<u64>) -> bool {
        left_ms.is_some_and(|left| left < self.refresh_below_ms)
    }
}

impl Warm {
    /// The keys that it names one by one.
    #[must_use]
    pub fn keys(&self) -> &[KeyName] {
        match &self.way {
            WarmWay::Request { keys, .. } | WarmWay::RequestEach { keys, .. } => keys,
            WarmWay::Copy { .. } => &[],
        }
    }

    /// The endpoint, where there is one.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match &self.way {
            WarmWay::Request { endpoint, .. } | WarmWay::RequestEach { endpoint, .. } => Some(endpoint),
            WarmWay::Copy { .. } => None,
        }
    }
}

impl fmt::Display for Warm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warm {}", self.what)?;
        match &self.way {
            WarmWay::Request { endpoint, .. } => write!(f, " by {} {}", endpoint.method, endpoint.url),
            WarmWay::RequestEach { endpoint, keys, .. } => {
                write!(f, " by {} requests {} {}", keys.len(), endpoint.method, endpoint.url)
            }
            WarmWay::Copy { from, scope, jitter_percent } => {
                match from {
                    CopyFrom::Deployment { name } => write!(f, " by copy from {name}")?,
                    CopyFrom::Undo { run } => write!(f, " by copy from the undo file of run {run}")?,
                }
                if let Some(scope) = scope {
                    write!(f, ": {scope}")?;
                }
                if *jitter_percent > 0 {
                    write!(f, ", times to live up to {jitter_percent} % shorter")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_with_a_field_that_is_not_known_is_refused_wherever_it_stands() {
        let good = serde_json::json!({
            "what": "tiles",
            "way": { "way": "request", "endpoint": { "method": "POST", "url": "https://a/warm" },
                     "keys": ["dashboard:tile:1"], "database": 0 },
            "limits": { "per_minute": 60 },
        });
        assert!(serde_json::from_value::<Warm>(good.clone()).is_ok());
        for path in ["", "/way", "/way/endpoint", "/limits"] {
            let mut bad = good.clone();
            bad.pointer_mut(path).expect("it is there")["also"] = serde_json::json!(1);
            let error = serde_json::from_value::<Warm>(bad).expect_err(path).to_string();
            assert!(error.contains("also"), "{path}: {error}");
        }
    }

    #[test]
    fn a_time_to_live_is_right_near_the_documented_one_and_a_missing_one_never() {
        let success = Success { ttl_ms: Some(60_000), ttl_percent: 10, ..Success::default() };
        for (left, right) in [
            (Some(60_000), true),
            (Some(54_000), true),
            (Some(53_000), false),
            (Some(66_001), false),
            (None, false),
        ] {
            assert_eq!(success.lives_right(left), right, "{left:?}");
        }
        assert!(Success::default().lives_right(None));
    }
}
