//! What is purged on which occasion.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::trigger::Trigger;
use crate::duration;
use crate::template::Template;

/// A purge of several steps, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Playbook {
    /// Short name, unique within the strategy.
    pub name: String,
    /// What the document calls it.
    pub title: String,
    /// What sets it off; empty for one that only an operator starts.
    pub triggers: Vec<Trigger>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What else the document says, one sentence.
    pub note: String,
}

/// One step of a playbook.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// What is done.
    #[serde(flatten)]
    pub action: StepAction,
    /// Done by somebody else, such as `Auth.js`: Cachescope shows it and does not run it.
    pub handled_by: Option<String>,
    /// When it applies, or why, one sentence.
    pub note: String,
}

/// What a step does. `{field}` in a key, pattern, tag, path or message is a parameter that the operator fills
/// in when planning.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepAction {
    /// Removes one key.
    Delete {
        /// The key.
        key: Template,
    },
    /// Removes the keys that a Redis glob matches.
    Pattern {
        /// The glob.
        pattern: String,
    },
    /// Removes every key of a namespace.
    Namespace {
        /// Its name.
        namespace: String,
    },
    /// Removes the keys that carry a tag.
    Tag {
        /// The tag.
        tag: String,
    },
    /// Counts a version up, so that old keys are no longer read.
    BumpVersion {
        /// The key of the counter.
        counter: Template,
        /// The namespaces whose keys carry the version.
        namespaces: Vec<String>,
    },
    /// Shortens the time to live instead of removing.
    Soft {
        /// The glob.
        pattern: String,
        /// The longest that is left.
        #[serde(rename = "ttl_seconds", with = "super::seconds")]
        ttl: Duration,
        /// How much less it may be, at random, so that not all keys end at once.
        #[serde(rename = "jitter_seconds", with = "super::seconds")]
        jitter: Duration,
    },
    /// Calls an endpoint of the application.
    Endpoint {
        /// Its name in [`Strategy::endpoints`](super::Strategy::endpoints).
        endpoint: String,
    },
    /// Publishes a message that makes instances drop their in-process entries.
    Publish {
        /// The channel.
        channel: String,
        /// The message.
        message: String,
    },
    /// Invalidates paths at the CDN.
    Cdn {
        /// The paths, with `*`.
        paths: Vec<String>,
    },
    /// Drops a tag of the web framework's route cache (`revalidateTag`).
    RouteTag {
        /// The tag.
        tag: String,
    },
    /// Makes pages fetch a query anew (React Query).
    ClientQuery {
        /// The query key's parts.
        query: Vec<String>,
    },
    /// Refreshes a materialised view.
    RefreshView {
        /// Its name in [`Strategy::views`](super::Strategy::views).
        view: String,
    },
    /// Nothing has to be done: it happens by itself.
    Automatic {
        /// How.
        how: String,
    },
}

/// One line for people: `delete cache:dashboard:stats`.
impl fmt::Display for StepAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delete { key } => write!(formatter, "delete {key}"),
            Self::Pattern { pattern } => write!(formatter, "delete keys like {pattern}"),
            Self::Namespace { namespace } => write!(formatter, "delete all of {namespace}"),
            Self::Tag { tag } => write!(formatter, "delete keys tagged {tag}"),
            Self::BumpVersion { counter, .. } => write!(formatter, "count {counter} up"),
            Self::Soft { pattern, ttl, jitter } => {
                write!(formatter, "let keys like {pattern} live {} at most", duration::format(*ttl))?;
                if jitter.is_zero() {
                    return Ok(());
                }
                write!(formatter, ", less up to {}", duration::format(*jitter))
            }
            Self::Endpoint { endpoint } => write!(formatter, "call the endpoint {endpoint}"),
            Self::Publish { channel, message } => write!(formatter, "publish {message} on {channel}"),
            Self::Cdn { paths } => write!(formatter, "invalidate {} at the CDN", paths.join(", ")),
            Self::RouteTag { tag } => write!(formatter, "revalidate the route tag {tag}"),
            Self::ClientQuery { query } => write!(formatter, "invalidate the query [{}]", query.join(", ")),
            Self::RefreshView { view } => write!(formatter, "refresh the view {view}"),
            Self::Automatic { how } => write!(formatter, "nothing to do: {how}"),
        }
    }
}
