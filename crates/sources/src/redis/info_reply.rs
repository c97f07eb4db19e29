//! Reading the text of INFO. Lenient: engines and versions differ in what they tell, so an unknown line is
//! skipped and a missing or odd field keeps its zero.

use cachescope_model::server::{CommandStat, DatabaseKeys, ServerInfo};

/// Versions that Redis and its kin tell.
const KNOWN_VERSIONS: [&str; 3] = ["redis", "valkey", "gcc"];

/// Reads the lines of an INFO reply; `own` and `round_trip_seconds` are not in it.
pub(super) fn parse(reply: &str) -> ServerInfo {
    let mut info = ServerInfo { engine: "redis".to_owned(), ..ServerInfo::default() };
    for line in reply.lines() {
        let Some((name, value)) = line.trim_end().split_once(':') else { continue };
        take_field(&mut info, name, value);
    }
    info.main_thread_seconds = main_thread_seconds(reply);
    info
}

/// Whether a server whose `INFO server` this is walks over its keys by hash tables as Redis does: Redis, Valkey and KeyDB.
/// Of other make is what tells a version of its own beside Redis's.
#[must_use]
pub fn walks_over_tables(server: &str) -> bool {
    let mut fields = server.lines().filter_map(|line| line.split_once(':'));
    matches!(parse(server).engine.as_str(), "redis" | "valkey" | "keydb")
        && fields
            .all(|(name, _)| name.strip_suffix("_version").is_none_or(|make| KNOWN_VERSIONS.contains(&make)))
}

/// CPU time of the main thread, of all threads where the server doesn't tell them apart (before Redis 6.2).
pub(super) fn main_thread_seconds(reply: &str) -> Option<f64> {
    let find = |name: &str| {
        reply.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse::<f64>().ok())
    };
    let cpu = |kind: &str| {
        find(&format!("used_cpu_{kind}_main_thread")).or_else(|| find(&format!("used_cpu_{kind}")))
    };
    Some(cpu("user")? + cpu("sys")?)
}

fn take_field(info: &mut ServerInfo, name: &str, value: &str) {
    let number = || value.trim().parse::<u64>().ok();
    let text = || value.trim().to_owned();
    let count = |place: &mut u64| {
        if let Some(number) = number() {
            *place = number;
        }
    };
    match name {
        "redis_version" => info.version = text(),
        "redis_mode" | "server_mode" => info.mode = text(),
        "run_id" => info.run_id = text(),
        "uptime_in_seconds" => count(&mut info.uptime_seconds),
        "role" => info.role = text(),
        "keyspace_hits" => count(&mut info.keyspace_hits),
        "keyspace_misses" => count(&mut info.keyspace_misses),
        "evicted_keys" => count(&mut info.evicted_keys),
        "expired_keys" => count(&mut info.expired_keys),
        "total_commands_processed" => count(&mut info.commands_processed),
        "used_memory" => count(&mut info.used_memory),
        "maxmemory" => count(&mut info.maxmemory),
        "maxmemory_policy" => info.maxmemory_policy = text(),
        "total_system_memory" => count(&mut info.total_system_memory),
        "connected_clients" => count(&mut info.connected_clients),
        "valkey_version" => info.engine = "valkey".to_owned(),
        "dragonfly_version" => info.engine = "dragonfly".to_owned(),
        // KeyDB has no version field of its own; its program's name and its multi-threading give it away.
        "executable" if value.contains("keydb") => info.engine = "keydb".to_owned(),
        "mvcc_depth" => info.engine = "keydb".to_owned(),
        "server_name" if matches!(value.trim(), "valkey" | "keydb") => info.engine = text(),
        _ => {
            if let Some(command) = name.strip_prefix("cmdstat_") {
                info.commands.extend(command_stat(command, value));
            } else if let Some(database) = name.strip_prefix("db") {
                info.databases.extend(database_keys(database, value));
            }
        }
    }
}

/// `get:calls=3,usec=7,usec_per_call=2.33,…`
fn command_stat(command: &str, value: &str) -> Option<CommandStat> {
    Some(CommandStat {
        command: command.to_ascii_lowercase(),
        calls: part(value, "calls")?,
        microseconds: part(value, "usec").unwrap_or(0),
    })
}

/// `0:keys=3,expires=1,avg_ttl=0,…`
fn database_keys(database: &str, value: &str) -> Option<DatabaseKeys> {
    Some(DatabaseKeys {
        database: database.parse().ok()?,
        keys: part(value, "keys")?,
        expires: part(value, "expires").unwrap_or(0),
    })
}

fn part(value: &str, name: &str) -> Option<u64> {
    value.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_fields_of_a_redis_7_reply_are_read() {
        let info = parse(
            "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:abc\r\nuptime_in_seconds:61\r\n\
             executable:/usr/bin/redis-server\r\n\r\n# Clients\r\nconnected_clients:4\r\n# Memory\r\nused_memory:1024\r\n\
             maxmemory:2048\r\nmaxmemory_policy:allkeys-lru\r\ntotal_system_memory:4096\r\n# Stats\r\n\
             total_commands_processed:9\r\nkeyspace_hits:5\r\nkeyspace_misses:6\r\nexpired_keys:7\r\nevicted_keys:8\r\n\
             # Replication\r\nrole:master\r\n# Commandstats\r\n\
             cmdstat_get:calls=3,usec=7,usec_per_call=2.33,rejected_calls=0,failed_calls=0\r\n\
             cmdstat_config|get:calls=1,usec=20,usec_per_call=20.00,rejected_calls=0,failed_calls=0\r\n\
             # CPU\r\nused_cpu_sys:9.0\r\nused_cpu_user:9.0\r\nused_cpu_sys_main_thread:0.5\r\n\
             used_cpu_user_main_thread:1.0\r\n\
             # Keyspace\r\ndb0:keys=10,expires=2,avg_ttl=0\r\ndb12:keys=1,expires=0,avg_ttl=0\r\n",
        );
        let expected = ServerInfo {
            version: "7.0.15".to_owned(),
            engine: "redis".to_owned(),
            run_id: "abc".to_owned(),
            uptime_seconds: 61,
            mode: "standalone".to_owned(),
            role: "master".to_owned(),
            keyspace_hits: 5,
            keyspace_misses: 6,
            evicted_keys: 8,
            expired_keys: 7,
            commands_processed: 9,
            used_memory: 1024,
            maxmemory: 2048,
            maxmemory_policy: "allkeys-lru".to_owned(),
            total_system_memory: 4096,
            connected_clients: 4,
            main_thread_seconds: Some(1.5),
            commands: vec![
                CommandStat { command: "get".to_owned(), calls: 3, microseconds: 7 },
                CommandStat { command: "config|get".to_owned(), calls: 1, microseconds: 20 },
            ],
            databases: vec![
                DatabaseKeys { database: 0, keys: 10, expires: 2 },
                DatabaseKeys { database: 12, keys: 1, expires: 0 },
            ],
            ..ServerInfo::default()
        };
        assert_eq!(info, expected);
    }

    #[test]
    fn engines_are_told_apart_by_what_only_they_say() {
        for (lines, engine) in [
            ("redis_version:7.2.4\n", "redis"),
            ("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.1.0\n", "valkey"),
            ("redis_version:6.3.4\nexecutable:/usr/bin/keydb-server\n", "keydb"),
            ("redis_version:6.3.4\nmvcc_depth:0\n", "keydb"),
            ("redis_version:7.4.0\ndragonfly_version:df-v1.27.1\n", "dragonfly"),
        ] {
            assert_eq!(parse(lines).engine, engine, "{lines}");
        }
    }

    #[test]
    fn what_tells_another_makes_version_is_not_taken_to_walk_over_tables() {
        for (lines, walks) in [
            ("redis_version:7.0.15\r\ngcc_version:12.2.0\r\n", true),
            ("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.0.1\n", true),
            ("redis_version:6.3.4\nmvcc_depth:0\n", true),
            ("redis_version:7.4.0\ndragonfly_version:df-v1.27.1\n", false),
            ("redis_version:4.0.0\nkvrocks_version:2.9.0\n", false),
        ] {
            assert_eq!(walks_over_tables(lines), walks, "{lines}");
        }
    }

    #[test]
    fn what_is_unknown_odd_or_missing_is_skipped() {
        let info = parse(
            "keyspace_hits:many\nnonsense\ndbx:keys=1\ndb3:expires=1\ncmdstat_get:calls=x\nused_memory: 5 \n",
        );
        assert_eq!(info.keyspace_hits, 0);
        assert!(info.databases.is_empty() && info.commands.is_empty());
        assert_eq!(info.used_memory, 5);
    }

    proptest! {
        #[test]
        fn no_reply_makes_it_panic(reply in "(?s).{0,200}") {
            let _info = parse(&reply);
        }
    }
}
