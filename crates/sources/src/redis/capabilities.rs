//! What can be observed on a server with this user, what not, why, and the lines that would enable it.

use cachescope_model::source::SourceId;
use redis::Value;
use serde::Serialize;

use super::command::text;
use super::event_flags::EventFlags;
use super::failure::user_of;
use super::info_reply;
use super::node::{Gate, RedisNode};
use super::permissions::{is_refusal, missing_rules};
use crate::error::SourceError;

/// The sources that read a Redis server.
pub(super) const REDIS_SOURCES: [SourceId; 6] = [
    SourceId::Info,
    SourceId::Events,
    SourceId::Commands,
    SourceId::SlowLog,
    SourceId::Scan,
    SourceId::Probe,
];

/// Rules that let a user change something: a viewing user has none of them.
const CHANGING_RULES: [&str; 2] = ["+config|set", "+slowlog|reset"];

/// What purging, undoing and warming need besides: to read, remove and put back keys, to hold the lock, and to publish.
pub const PURGING_RULES: [&str; 21] = [
    "&*",
    "+unlink",
    "+dump",
    "+restore",
    "+pttl",
    "+pexpire",
    "+pexpiretime",
    "+getrange",
    "+set",
    "+incr",
    "+publish",
    "+watch",
    "+unwatch",
    "+multi",
    "+exec",
    "+eval",
    "+time",
    "+sscan",
    "+randomkey",
    "+acl|dryrun",
    "+acl|whoami",
];

/// The version that brought CLIENT NO-TOUCH.
const NO_TOUCH_SINCE: &str = "7.2";

/// What is needed besides in a cluster: to find its nodes, and to read keys from replicas.
pub(super) const CLUSTER_RULES: [&str; 5] =
    ["+cluster|shards", "+cluster|slots", "+cluster|myid", "+cluster|info", "+readonly"];

/// Whether a source works here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Works {
    /// All of it.
    Yes,
    /// Part of it; `why` says what is missing.
    Partly,
    /// Not at all; `why` says why not.
    No,
}

/// One source as it would work here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceCapability {
    /// Which source.
    pub source: SourceId,
    /// Whether it works.
    pub works: Works,
    /// What is missing, one sentence; empty where nothing is.
    pub why: String,
    /// The lines that would enable it, as they are typed on the server; empty where nothing helps.
    pub remedy: Vec<String>,
}

/// What a server lets this user observe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CapabilityReport {
    /// The server's address.
    pub node: String,
    /// `redis`, `valkey`, `keydb` or `dragonfly`.
    pub engine: String,
    /// Its version; empty where it doesn't tell.
    pub version: String,
    /// `standalone`, `sentinel` or `cluster`; empty where it doesn't tell.
    pub mode: String,
    /// `master` or `slave`, in the server's own words; empty where it doesn't tell.
    pub role: String,
    /// The ACL user that was asked as.
    pub user: String,
    /// Every source that reads Redis.
    pub sources: Vec<SourceCapability>,
    /// The line that makes a user who may observe everything and change nothing; `PASSWORD` is to be replaced.
    pub acl_line: String,
    /// The line that makes a user who may also do what this program does on approval: change the settings that a
    /// source needs, and put them back.
    pub acting_acl_line: String,
    /// The same for purging, undoing and warming.
    pub purging_acl_line: String,
    /// The line that switches on what the events source needs, merged with what is set; empty where nothing is
    /// missing.
    pub config_line: String,
}

/// Asks a server what can be observed there.
///
/// # Errors
/// Why it can't be connected to. What is not permitted is not an error but part of the report.
pub async fn capabilities(node: &RedisNode) -> Result<CapabilityReport, SourceError> {
    let mut gate = node.gate().await;
    let hello = gate.hello().await?;
    let told = gate.ask(redis::cmd("INFO").arg("server")).await;
    let role = gate.ask(redis::cmd("INFO").arg("replication")).await;
    let told =
        told.as_ref().map(|reply| info_reply::parse(&text(reply).unwrap_or_default())).unwrap_or_default();
    let role = role.as_ref().map(|reply| info_reply::parse(&text(reply).unwrap_or_default()).role);
    let first_of = |first: &str, second: &str| if first.is_empty() { second } else { first }.to_owned();
    let version = first_of(&told.version, &hello.version);
    let user = whoami(&mut gate, user_of(node.target())).await;
    let setting = notify_setting(&mut gate).await?;

    let mode = first_of(&hello.mode, &told.mode);
    let in_mode = |line: String| match mode.as_str() {
        "cluster" => format!("{line} {}", CLUSTER_RULES.join(" ")),
        _ => line,
    };
    let mut sources = Vec::new();
    for id in REDIS_SOURCES {
        let missing = missing_rules(&mut gate, &user, id.spec()).await?;
        sources.push(judge(id, &user, &version, &missing, &setting));
    }
    Ok(CapabilityReport {
        node: node.target().to_string(),
        engine: first_of(&told.engine, if hello.server.is_empty() { "redis" } else { &hello.server }),
        version,
        mode: mode.clone(),
        role: first_of(role.as_deref().unwrap_or_default(), &hello.role),
        user,
        sources,
        acl_line: in_mode(viewing_user_line()),
        acting_acl_line: in_mode(acting_user_line()),
        purging_acl_line: in_mode(purging_user_line()),
        config_line: match &setting {
            Setting::Known(flags) if flags.missing().is_some() => flags.remedy(),
            _ => String::new(),
        },
    })
}

/// The line that makes a user who may look at everything and change nothing, from what the registry says the
/// sources need.
#[must_use]
pub fn viewing_user_line() -> String {
    user_line("cachescope", |rule| !CHANGING_RULES.contains(&rule), &[])
}

/// The line that makes a user who may also change the settings that a source needs, on approval.
#[must_use]
pub fn acting_user_line() -> String {
    user_line("cachescope-acting", |_| true, &[])
}

/// The line that makes a user who may also purge, undo and warm, on approval.
#[must_use]
pub fn purging_user_line() -> String {
    user_line("cachescope-purging", |_| true, &PURGING_RULES)
}

fn user_line(name: &str, wanted: impl Fn(&str) -> bool, more: &[&'static str]) -> String {
    let mut rules: Vec<&str> = Vec::new();
    for rule in REDIS_SOURCES.iter().flat_map(|id| id.spec().acl).chain(more).copied() {
        if !rules.contains(&rule) && wanted(rule) {
            rules.push(rule);
        }
    }
    // What is reset must be reset before anything is granted; then channels, keys and commands.
    rules.sort_by_key(|rule| match rule.chars().next() {
        Some('&') => 1,
        Some('~' | '%') => 2,
        Some('+') => 3,
        _ => 0,
    });
    format!("ACL SETUSER {name} on >PASSWORD {}", rules.join(" "))
}

/// `notify-keyspace-events` as far as it is known.
enum Setting {
    Known(EventFlags),
    Unreadable,
}

async fn notify_setting(gate: &mut Gate<'_>) -> Result<Setting, SourceError> {
    let command = redis::cmd("CONFIG").arg("GET").arg("notify-keyspace-events").clone();
    match gate.ask(&command).await {
        Ok(Value::Array(pair)) => Ok(pair
            .get(1)
            .and_then(text)
            .map_or(Setting::Unreadable, |flags| Setting::Known(EventFlags::new(&flags)))),
        Ok(_) => Ok(Setting::Unreadable),
        Err(error) if is_refusal(&error) => Ok(Setting::Unreadable),
        Err(error) => Err(error),
    }
}

pub(super) async fn whoami(gate: &mut Gate<'_>, otherwise: &str) -> String {
    match gate.ask(redis::cmd("ACL").arg("WHOAMI")).await {
        Ok(reply) => text(&reply).unwrap_or_else(|| otherwise.to_owned()),
        Err(_) => otherwise.to_owned(),
    }
}

fn judge(id: SourceId, user: &str, version: &str, missing: &[String], setting: &Setting) -> SourceCapability {
    let spec = id.spec();
    let mut capability =
        SourceCapability { source: id, works: Works::Yes, why: String::new(), remedy: Vec::new() };
    if older(version, spec.since) {
        capability.works = Works::No;
        capability.why = format!("{} needs version {} or later; this is {version}", spec.title, spec.since);
        return capability;
    }
    if !missing.is_empty() {
        capability.works =
            if missing.iter().any(|rule| is_essential(id, rule)) { Works::No } else { Works::Partly };
        capability.why = format!("user {user} lacks {}", missing.join(" "));
        capability.remedy.push(format!("ACL SETUSER {user} {}", missing.join(" ")));
        if id == SourceId::SlowLog && capability.works == Works::Partly {
            add(&mut capability.why, "so the slow log can be read as it stands, and not be sampled");
        }
        let ends = ["+wait", "+reset", "+client|info"];
        if id == SourceId::Events && missing.iter().any(|rule| ends.contains(&rule.as_str())) {
            add(
                &mut capability.why,
                "so the subscription of a Cachescope that is stopped ends at the server's own limit \
                 (client-output-buffer-limit pubsub) and not by itself",
            );
        }
    }
    if id == SourceId::Events && capability.works != Works::No {
        match setting {
            Setting::Known(flags) => {
                if let Some(lacking) = flags.missing() {
                    let none = flags.channels().misses != Some(true)
                        && flags.channels().evictions != Some(true)
                        && flags.channels().expirations != Some(true);
                    capability.works = if none { Works::No } else { Works::Partly };
                    add(&mut capability.why, &format!("the server does not announce {lacking}"));
                    capability.remedy.push(flags.remedy());
                }
            }
            Setting::Unreadable => {
                capability.works = Works::Partly;
                add(
                    &mut capability.why,
                    "which events the server announces is unknown, because CONFIG GET is refused",
                );
                capability.remedy.push(format!("ACL SETUSER {user} +config|get"));
            }
        }
    }
    if id == SourceId::Probe && capability.works != Works::No && older(version, NO_TOUCH_SINCE) {
        capability.works = Works::Partly;
        add(
            &mut capability.why,
            &format!(
                "it asks TYPE instead of GET, because a GET makes a key look used before version \
                 {NO_TOUCH_SINCE}; this is {version}"
            ),
        );
    }
    capability
}

fn add(why: &mut String, more: &str) {
    if !why.is_empty() {
        why.push_str("; ");
    }
    why.push_str(more);
}

/// Whether a source delivers nothing without this rule.
fn is_essential(id: SourceId, rule: &str) -> bool {
    match id {
        SourceId::Info => rule == "+info",
        SourceId::Events => rule == "+subscribe" || rule.starts_with('&'),
        SourceId::Commands => rule == "+monitor" || rule == "+wait",
        SourceId::SlowLog => rule == "+slowlog|get",
        SourceId::Scan => rule == "+scan",
        SourceId::Probe => rule == "+type",
        _ => true,
    }
}

fn older(version: &str, since: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> { text.split('.').map_while(|part| part.parse().ok()).collect() };
    let (version, since) = (numbers(version), numbers(since));
    !version.is_empty() && version < since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_viewing_user_gets_every_rule_that_changes_nothing_once_and_resets_first() {
        let line = viewing_user_line();
        assert!(
            line.starts_with("ACL SETUSER cachescope on >PASSWORD resetchannels &__keyevent@* ~* +"),
            "{line}"
        );
        for rule in REDIS_SOURCES.iter().flat_map(|id| id.spec().acl) {
            let times = usize::from(!CHANGING_RULES.contains(rule));
            assert_eq!(line.split(' ').filter(|word| word == rule).count(), times, "{rule} in {line}");
        }
    }

    #[test]
    fn versions_are_compared_by_number() {
        for (version, since, is_older) in
            [("5.0.14", "6.0", true), ("6.0.0", "6.0", false), ("10.1", "6.0", false), ("", "6.0", false)]
        {
            assert_eq!(older(version, since), is_older, "{version} against {since}");
        }
    }
}
