//! Keys that go without an event, as two INFO replies show it.

use cachescope_model::server::ServerInfo;

use super::find;
use crate::events::Silence;

/// Commands that empty a database.
const FLUSHES: [&str; 2] = ["flushall", "flushdb"];
/// Commands after which every key may be another one.
const UPHEAVALS: [&str; 1] = ["swapdb"];

/// Commands that remove no key, other than one whose time has run out. Where nothing else was called, nothing
/// was deleted, though nobody announced deletions. (EXPIRE removes where its time is past, LPOP with the last
/// element; what is not listed counts as a command that removes.)
const HARMLESS: [&str; 116] = [
    "acl",
    "append",
    "asking",
    "auth",
    "bgrewriteaof",
    "bgsave",
    "bitcount",
    "bitfield_ro",
    "bitpos",
    "client",
    "cluster",
    "command",
    "config",
    "dbsize",
    "decr",
    "decrby",
    "discard",
    "dump",
    "echo",
    "eval",
    "eval_ro",
    "evalsha",
    "evalsha_ro",
    "exec",
    "exists",
    "expiretime",
    "fcall",
    "fcall_ro",
    "geoadd",
    "geodist",
    "geohash",
    "geopos",
    "get",
    "getbit",
    "getrange",
    "getset",
    "hello",
    "hexists",
    "hget",
    "hgetall",
    "hincrby",
    "hincrbyfloat",
    "hkeys",
    "hlen",
    "hmget",
    "hmset",
    "hrandfield",
    "hscan",
    "hset",
    "hsetnx",
    "hstrlen",
    "hvals",
    "incr",
    "incrby",
    "incrbyfloat",
    "info",
    "keys",
    "lastsave",
    "latency",
    "lindex",
    "linsert",
    "llen",
    "lpos",
    "lpush",
    "lpushx",
    "lrange",
    "lset",
    "memory",
    "mget",
    "monitor",
    "mset",
    "msetnx",
    "multi",
    "object",
    "persist",
    "pexpiretime",
    "pfadd",
    "pfcount",
    "ping",
    "psetex",
    "psubscribe",
    "psync",
    "pttl",
    "publish",
    "pubsub",
    "punsubscribe",
    "quit",
    "randomkey",
    "replconf",
    "reset",
    "role",
    "rpush",
    "rpushx",
    "sadd",
    "scan",
    "scard",
    "script",
    "select",
    "set",
    "setbit",
    "setex",
    "setnx",
    "setrange",
    "sismember",
    "slowlog",
    "smembers",
    "smismember",
    "srandmember",
    "strlen",
    "subscribe",
    "time",
    "touch",
    "ttl",
    "type",
    "unsubscribe",
    "wait",
];

/// Compares two replies of one node.
pub(super) fn between(before: &ServerInfo, now: &ServerInfo, from_ms: i64, to_ms: i64) -> Silence {
    let called = |commands: &[&str]| commands.iter().any(|command| calls(before, now, command) > 0);
    let told = !before.commands.is_empty() && !now.commands.is_empty();
    let restarted = before.run_id != now.run_id || now.uptime_seconds < before.uptime_seconds;
    let other_role = !before.role.is_empty() && before.role != now.role;
    // After CONFIG RESETSTAT, calls before it show no more: then only the keys tell, as where no call is told.
    let untold = !told || reset(before, now);
    Silence {
        from_ms,
        to_ms,
        flushed: called(&FLUSHES) || (untold && emptied(before, now)),
        removers: untold || now.commands.iter().any(|stat| removes(&stat.command, before, now)),
        upheaval: restarted || other_role || called(&UPHEAVALS),
        told,
        replica: is_replica(now),
        empty: now.databases.iter().all(|database| database.keys == 0),
    }
}

/// What the first reply tells, with which nothing can be compared.
pub(super) fn first(info: &ServerInfo, at_ms: i64) -> Silence {
    Silence {
        from_ms: at_ms,
        to_ms: at_ms,
        told: !info.commands.is_empty(),
        replica: is_replica(info),
        ..Silence::default()
    }
}

fn is_replica(info: &ServerInfo) -> bool {
    matches!(info.role.as_str(), "slave" | "replica")
}

/// Calls between two replies; after a reset, those since.
fn calls(before: &ServerInfo, now: &ServerInfo, command: &str) -> u64 {
    let of = |info: &ServerInfo| find(info, command).map_or(0, |stat| stat.calls);
    let (earlier, later) = (of(before), of(now));
    later.checked_sub(earlier).unwrap_or(later)
}

fn removes(command: &str, before: &ServerInfo, now: &ServerInfo) -> bool {
    let name = command.split('|').next().unwrap_or(command);
    HARMLESS.binary_search(&name).is_err() && calls(before, now, command) > 0
}

/// Whether the statistics began anew.
fn reset(before: &ServerInfo, now: &ServerInfo) -> bool {
    now.commands_processed < before.commands_processed
        || before
            .commands
            .iter()
            .any(|stat| find(now, &stat.command).is_none_or(|later| later.calls < stat.calls))
}

/// Whether a database lost more than half of its keys within about a second.
fn emptied(before: &ServerInfo, now: &ServerInfo) -> bool {
    before.databases.iter().filter(|database| database.keys > 0).any(|database| {
        let later = now.databases.iter().find(|later| later.database == database.database);
        later.map_or(0, |later| later.keys) < database.keys / 2
    })
}

#[cfg(test)]
mod tests {
    use cachescope_model::server::{CommandStat, DatabaseKeys};

    use super::*;

    fn info(commands: &[(&str, u64)], keys: u64) -> ServerInfo {
        let stat = |(command, calls): &(&str, u64)| CommandStat {
            command: (*command).to_owned(),
            calls: *calls,
            microseconds: 0,
        };
        ServerInfo {
            role: "master".to_owned(),
            commands_processed: commands.iter().map(|(_, calls)| calls).sum(),
            commands: commands.iter().map(stat).collect(),
            databases: vec![DatabaseKeys { database: 0, keys, expires: 0 }],
            ..ServerInfo::default()
        }
    }

    #[test]
    fn the_list_of_harmless_commands_is_sorted() {
        assert!(HARMLESS.is_sorted());
    }

    #[test]
    fn what_two_replies_say_about_keys_that_went() {
        let quiet = [("get", 5), ("info", 3)];
        for (before, now, flushed, removers, upheaval) in [
            (info(&quiet, 9), info(&[("get", 9), ("info", 4)], 9), false, false, false),
            (info(&quiet, 9), info(&[("get", 9), ("info", 4), ("flushdb", 1)], 0), true, true, false),
            (info(&quiet, 9), info(&[("get", 5), ("info", 4), ("del", 1)], 8), false, true, false),
            (info(&quiet, 9), info(&[("get", 5), ("info", 4), ("config|get", 1)], 9), false, false, false),
            (info(&quiet, 9), info(&[("get", 5), ("info", 4), ("swapdb", 1)], 9), false, true, true),
            // Statistics were reset: a flush after it shows, one before it by the keys.
            (info(&quiet, 9), info(&[("info", 1)], 9), false, true, false),
            (info(&quiet, 9), info(&[("info", 1)], 1), true, true, false),
            (
                info(&[("flushall", 3), ("info", 1)], 9),
                info(&[("flushall", 1), ("info", 1)], 0),
                true,
                true,
                false,
            ),
            // Nobody tells calls.
            (info(&[], 100), info(&[], 0), true, true, false),
            (info(&[], 100), info(&[], 90), false, true, false),
        ] {
            let seen = between(&before, &now, 1_000, 2_000);
            let name = format!("{:?} to {:?}", before.commands, now.commands);
            assert_eq!((seen.flushed, seen.removers, seen.upheaval), (flushed, removers, upheaval), "{name}");
        }
        let other_role = ServerInfo { role: "slave".to_owned(), ..info(&quiet, 9) };
        let seen = between(&info(&quiet, 9), &other_role, 1_000, 2_000);
        assert!(seen.upheaval && seen.replica);
    }
}
