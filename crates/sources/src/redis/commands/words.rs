//! How the command sample is doing, in words with the remedy.

use cachescope_model::source::SourceHealth;
use redis::ServerError;

use super::burst::Step;
use super::settings::Settings;
use super::strain::Strain;
use crate::error::{ErrorCode, SourceError};
use crate::redis::target::RedisTarget;

/// A request of this size, monitored, would stall the server for some 70 ms: every byte of it is quoted.
const TOO_LARGE: u64 = 1024 * 1024;

/// Why nothing is sampled although it could be.
pub(super) fn too_large(settings: &Settings) -> Option<(String, String)> {
    (settings.largest_request > TOO_LARGE).then(|| {
        let megabytes = settings.largest_request as f64 / 1e6;
        (
            format!(
                "nothing is sampled while clients send requests of {megabytes:.1} MB: telling one to MONITOR would \
                 stall the server for about {:.0} ms",
                megabytes * 70.0
            ),
            "it goes on by itself once no such request has come for some seconds".to_owned(),
        )
    })
}

/// What is to be said of bursts that work.
pub(super) struct Standing<'a> {
    pub(super) target: &'a RedisTarget,
    pub(super) settings: &'a Settings,
    pub(super) unsubscribed: Option<&'a SourceError>,
    pub(super) strain: &'a Strain,
    pub(super) commands: u64,
    pub(super) unread: u64,
}

/// The status of a sample that is being taken.
pub(super) fn standing(standing: &Standing<'_>) -> (SourceHealth, String, String) {
    let Standing { target, settings, unsubscribed, strain, commands, unread } = standing;
    let partial = |detail: String, remedy: String| (SourceHealth::Partial, detail, remedy);
    if let Some(words) = strain.words() {
        return partial(words, "it goes on in full by itself once the server answers as usual".to_owned());
    }
    if *commands >= 20 && unread * 5 > *commands {
        return partial(
            format!("the keys of {unread} of {commands} commands on {target} can't be told"),
            String::new(),
        );
    }
    if let Some(error) = unsubscribed {
        return partial(
            format!("within the sample hits can't be told from misses: {error}"),
            error.remedy().to_owned(),
        );
    }
    match settings.misses {
        Some(false) => partial(
            format!("within the sample hits can't be told from misses: {target} does not announce misses"),
            "switch on misses in notify-keyspace-events (flags E and m)".to_owned(),
        ),
        _ => (SourceHealth::Ok, String::new(), String::new()),
    }
}

/// Words for a replica: WAIT is refused there, and a connection in MONITOR mode may not block on a key.
pub(super) fn replica(target: &RedisTarget) -> SourceError {
    SourceError::new(
        ErrorCode::Unsupported,
        format!("{target} is a replica, on which a burst of MONITOR can't be made to end by itself"),
        "sample its primary; misses of reads that this replica serves are seen by keyspace events",
    )
}

/// Words for what the server refused and nothing can be sampled without.
pub(super) fn refused(
    target: &RedisTarget,
    step: Step,
    error: &SourceError,
    reply: &ServerError,
) -> SourceError {
    let slow_log = "a sample of the slow log or the application's own metrics can stand in";
    match (step, error.kind()) {
        (Step::Monitor, ErrorCode::Unsupported) => SourceError::new(
            ErrorCode::Unsupported,
            format!("{target} has no MONITOR: the service blocks it, or its configuration renames it"),
            slow_log,
        ),
        (Step::Block, ErrorCode::Unsupported) => SourceError::new(
            ErrorCode::Unsupported,
            format!("{target} has no WAIT, without which a burst of MONITOR would not end by itself"),
            slow_log,
        ),
        (Step::Block, _) if reply.details().is_some_and(|details| details.contains("replica instances")) => {
            replica(target)
        }
        _ => error.clone(),
    }
}
