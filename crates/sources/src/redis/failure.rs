//! What a server's refusal or a broken connection means, in one sentence with a remedy.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerError, Value};
use secrecy::ExposeSecret;

use super::stream::lower_first;
use super::target::RedisTarget;
use super::tls::{tls_failure, tls_port};
use crate::error::{ErrorCode, SourceError};

/// The rule that allows a command, as `ACL SETUSER` takes it: `+info`, `+config|get`.
#[must_use]
pub(crate) fn acl_rule(command: &str) -> String {
    format!("+{}", command.to_ascii_lowercase().replace(' ', "|"))
}

/// The name of the ACL user a target speaks as.
pub(crate) fn user_of(target: &RedisTarget) -> &str {
    target.user().unwrap_or("default")
}

/// Whether a reply is of a command that `total_commands_processed` counts: what the server refuses before
/// executing it (no permission, unknown, wrong arity, not ready) is not counted there (`processCommand` and
/// `rejectCommand` in Redis's server.c; asserted by a test against a real server).
pub(crate) fn was_executed(reply: &Value) -> bool {
    let Value::ServerError(error) = reply else { return true };
    let details = error.details().unwrap_or_default();
    match error.code() {
        "NOPERM" | "NOAUTH" | "LOADING" | "BUSY" | "MASTERDOWN" | "MISCONF" | "CLUSTERDOWN" | "MOVED"
        | "ASK" | "TRYAGAIN" | "READONLY" => false,
        "ERR" => !(details.starts_with("unknown") || details.starts_with("wrong number of arguments")),
        _ => true,
    }
}

/// Whether a node of a cluster says that a key's slot is, or is just going, elsewhere: that is about this key at
/// this moment and no refusal of the command. `ASK` is said of a key that has already gone, `MOVED` also of one
/// that has just come (Redis Cluster specification, "Redirection and resharding").
pub(crate) fn is_elsewhere(error: &ServerError) -> bool {
    matches!(error.code(), "MOVED" | "ASK" | "TRYAGAIN")
}

/// Words for an error reply to `command` (`INFO`, `CONFIG GET`).
pub(crate) fn refusal(target: &RedisTarget, command: &str, error: &ServerError) -> SourceError {
    let details = error.details().unwrap_or_default();
    let user = user_of(target);
    let make = |code, sentence: String, remedy: &str| SourceError::new(code, sentence, remedy);
    match error.code() {
        "NOPERM" => no_permission(target, command, details),
        "NOAUTH" => make(
            ErrorCode::Auth,
            format!("{target} wants a password and none was given"),
            "give user and password, as in redis://user:password@host",
        ),
        "WRONGPASS" => make(
            ErrorCode::Auth,
            format!("{target} refused user {user}: wrong password, or no such user, or a disabled one"),
            "check user and password; ACL GETUSER on the server shows whether the user is on",
        ),
        "DENIED" => make(
            ErrorCode::Auth,
            format!("{target} is in protected mode and talks to its own machine only"),
            "set a password for the server (requirepass or an ACL user), or bind it to a trusted network and \
             set protected-mode no",
        ),
        "LOADING" => make(
            ErrorCode::Busy,
            format!("{target} is still loading its data into memory"),
            "wait; it is asked again by itself",
        ),
        "BUSY" => make(
            ErrorCode::Busy,
            format!("{target} is held up by a script that does not end"),
            "SCRIPT KILL or FUNCTION KILL on the server stops a script that has not written yet",
        ),
        "MASTERDOWN" => make(
            ErrorCode::Busy,
            format!("{target} is a replica without its primary and set to refuse reads meanwhile"),
            "check the primary, or set replica-serve-stale-data yes",
        ),
        "CLUSTERDOWN" => make(
            ErrorCode::Busy,
            format!("{target} belongs to a cluster that is down"),
            "CLUSTER INFO and CLUSTER NODES on the server show which slots are not served",
        ),
        "MISCONF" => make(
            ErrorCode::Busy,
            format!("{target} refuses {command} because it can't save its data to disk"),
            "look into the server's log for the failing save",
        ),
        "ERR" if details.contains("max number of clients") => make(
            ErrorCode::Busy,
            format!("{target} has no connection left for us: its maxclients is reached"),
            "find who holds the connections with CLIENT LIST, or raise maxclients",
        ),
        "ERR" if details.starts_with("invalid password") || details.contains("invalid username-password") => {
            make(
                ErrorCode::Auth,
                format!("{target} refused user {user}: wrong password"),
                "check user and password",
            )
        }
        "ERR"
            if details.contains("without any password configured")
                || details.contains("no password is set") =>
        {
            make(
                ErrorCode::Auth,
                format!("{target} has no password set, but one was given"),
                "leave the password out of the URL",
            )
        }
        // The server repeats the arguments of a command it doesn't know, a password among them: not passed on.
        "ERR" if details.starts_with("unknown") => make(
            ErrorCode::Unsupported,
            format!("{target} doesn't know the command {command}"),
            "its engine or version is too old for this, or the command is renamed in its configuration",
        ),
        code => {
            let text = if details.is_empty() { code.to_owned() } else { format!("{code} {details}") };
            let text = match target.password() {
                Some(secret) if text.contains(secret.expose_secret()) => code.to_owned(),
                _ => text,
            };
            make(ErrorCode::Server, format!("{target} answered {command} with an error: {text}"), "")
        }
    }
}

fn no_permission(target: &RedisTarget, command: &str, details: &str) -> SourceError {
    let user = user_of(target);
    let (what, rule) = if details.contains("channel") {
        ("listen to keyspace events".to_owned(), "&__keyevent@*".to_owned())
    } else if details.contains("key") && !details.contains("to run") {
        ("look at keys".to_owned(), "~*".to_owned())
    } else {
        (format!("run {command}"), acl_rule(command))
    };
    SourceError::new(
        ErrorCode::Permission,
        format!("user {user} may not {what} on {target}"),
        format!("ACL SETUSER {user} {rule}"),
    )
}

/// Words for a connection that broke or never spoke Redis. `first` is what the server sent first.
pub(crate) fn broken(target: &RedisTarget, command: &str, error: &RedisError, first: &[u8]) -> SourceError {
    if first.starts_with(&[0x15, 0x03]) {
        return tls_port(target);
    }
    if let Some(other) = other_service(first) {
        return not_redis(target, other);
    }
    if let Some(error) = io_error(error)
        && error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
    {
        return tls_failure(target, error);
    }
    match error.kind() {
        ErrorKind::Parse if first.first().is_none_or(|byte| !b"+-:$*%~>_#,(=!|".contains(byte)) => {
            not_redis(target, "answers in a language of its own")
        }
        ErrorKind::Parse => SourceError::new(
            ErrorCode::Protocol,
            format!("{target} sent a reply to {command} that can't be read"),
            "check what stands between here and the server, such as a proxy",
        ),
        _ => closed(target, command, error),
    }
}

fn closed(target: &RedisTarget, command: &str, error: &RedisError) -> SourceError {
    let why = match io_error(error).map(io::Error::kind) {
        None | Some(io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) => String::new(),
        Some(io::ErrorKind::ConnectionReset) => ": it was reset".to_owned(),
        Some(_) => format!(": {}", lower_first(&error.to_string())),
    };
    SourceError::new(
        ErrorCode::Closed,
        format!("{target} closed the connection before answering {command}{why}"),
        "it is tried again by itself; if that doesn't help, look into the server's log",
    )
}

fn other_service(first: &[u8]) -> Option<&'static str> {
    [
        (&b"HTTP/"[..], "answers in HTTP: it is a web server, perhaps a metrics page"),
        (b"<", "answers with a web page"),
        (b"SSH-", "is an SSH server"),
        (b"220", "is a mail or file transfer server"),
    ]
    .iter()
    .find(|(start, _)| first.starts_with(start))
    .map(|(_, words)| *words)
}

fn not_redis(target: &RedisTarget, words: &str) -> SourceError {
    SourceError::new(
        ErrorCode::Protocol,
        format!("{target} is not a Redis server: it {words}"),
        "check host and port",
    )
}

/// The input/output error inside an error of the redis crate.
fn io_error(error: &RedisError) -> Option<&io::Error> {
    let source = error.source()?;
    source.downcast_ref::<io::Error>().or_else(|| {
        source.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>()?.downcast_ref::<io::Error>()
    })
}
