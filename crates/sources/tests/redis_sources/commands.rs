//! The command sample of a real server: equal to what clients did, silent about us, and ended by the server.

use std::time::Duration;

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::observation::Observed;
use cachescope_model::sample::{CommandBurst, KeyUse};
use cachescope_model::scan::ScanMode;
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_sources::redis::commands::{CommandsOptions, run};
use cachescope_sources::redis::events::EventsOptions;
use cachescope_sources::redis::info::InfoOptions;
use cachescope_sources::redis::scan::ScanOptions;
use cachescope_sources::redis::{events, info, scan};
use redis::aio::MultiplexedConnection;

use super::watch::{Watch, node, server};

async fn announcing() -> RedisServer {
    server(RedisOptions { notify_keyspace_events: Some("Em".to_owned()), ..Default::default() }).await
}

/// One use of a key: how, in which database, by which command (none for a miss), and the key.
type Use = (KeyUse, u16, String, Vec<u8>);

fn uses(burst: &CommandBurst) -> Vec<Use> {
    burst
        .keys
        .iter()
        .map(|key| {
            let name = match key.used {
                KeyUse::Miss => String::new(),
                _ => burst.names[usize::from(key.command)].to_string(),
            };
            (key.used, key.database, name, key.key.to_vec())
        })
        .collect()
}

/// The next bursts, up to the one in which the key `end` is used; that use is left out.
async fn bursts_until(watch: &mut Watch, end: &[u8]) -> (Vec<Use>, Vec<CommandBurst>) {
    let (mut all, mut bursts) = (Vec::new(), Vec::new());
    loop {
        let burst = watch
            .until(|what| match what {
                Observed::Commands(burst) => Some(burst),
                _ => None,
            })
            .await;
        all.extend(uses(&burst));
        bursts.push(burst);
        if let Some(place) = all.iter().position(|(_, _, _, key)| key == end) {
            all.truncate(place);
            return (all, bursts);
        }
    }
}

/// Does something within a burst that is sure to be under way and to last, and gives what was sampled of it.
async fn sampled(
    watch: &mut Watch,
    connection: &mut MultiplexedConnection,
    commands: &redis::Pipeline,
) -> (Vec<Use>, Vec<CommandBurst>) {
    // A command is in a burst with all that follow it closely, or in the gap before one: try until it is in.
    loop {
        let begin: i64 = redis::cmd("TTL").arg("begin").query_async(connection).await.expect("answers");
        assert_eq!(begin, -2);
        commands.clone().exec_async(connection).await.ok();
        let end: i64 = redis::cmd("TTL").arg("end").query_async(connection).await.expect("answers");
        assert_eq!(end, -2);
        let (mut all, bursts) = bursts_until(watch, b"end").await;
        let begin = all
            .iter()
            .rposition(|(used, _, name, key)| *used == KeyUse::Lookup && name == "ttl" && key == b"begin");
        if let Some(begin) = begin
            && bursts.len() == 1
        {
            all.drain(..=begin);
            return (all, bursts);
        }
    }
}

fn lookup(database: u16, command: &str, key: &[u8]) -> Use {
    (KeyUse::Lookup, database, command.to_owned(), key.to_vec())
}

fn other(database: u16, command: &str, key: &[u8]) -> Use {
    (KeyUse::Other, database, command.to_owned(), key.to_vec())
}

fn miss(database: u16, key: &[u8]) -> Use {
    (KeyUse::Miss, database, String::new(), key.to_vec())
}

#[tokio::test]
async fn a_burst_tells_every_use_of_a_key_in_order_with_its_database_and_bytes() {
    let server = announcing().await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), CommandsOptions::default()));
    watch.status(SourceId::Commands, SourceHealth::Ok).await;
    let mut connection = server.connection().await.expect("connects");
    let odd: &[u8] = b"a key\r\n\"with\" {every}\0thing \\ \xff\xfe";
    let mut did = redis::pipe();
    did.cmd("SET").arg("there").arg(1).cmd("GET").arg("there").cmd("GET").arg(odd);
    did.cmd("MGET").arg("there").arg("gone").arg("there").cmd("HSET").arg("hash").arg("f").arg(1);
    did.cmd("HGET").arg("hash").arg("nothing").cmd("SELECT").arg(3).cmd("HGET").arg("hash").arg("f");
    did.cmd("PUBLISH")
        .arg("channel")
        .arg("GET there")
        .cmd("SELECT")
        .arg(0)
        .cmd("DEL")
        .arg("there")
        .arg("gone");
    did.cmd("EVAL").arg("return redis.call('get', KEYS[1])").arg(1).arg("in-script");
    did.cmd("MULTI").cmd("GET").arg("discarded").cmd("DISCARD");
    did.cmd("MULTI").cmd("GET").arg("in-transaction").cmd("EXEC");
    let (seen, bursts) = sampled(&mut watch, &mut connection, &did).await;
    let expected = [
        other(0, "set", b"there"),
        lookup(0, "get", b"there"),
        miss(0, odd),
        lookup(0, "get", odd),
        miss(0, b"gone"),
        lookup(0, "mget", b"there"),
        lookup(0, "mget", b"gone"),
        lookup(0, "mget", b"there"),
        other(0, "hset", b"hash"),
        lookup(0, "hget", b"hash"),
        miss(3, b"hash"),
        lookup(3, "hget", b"hash"),
        other(0, "del", b"there"),
        miss(0, b"in-script"),
        lookup(0, "get", b"in-script"),
        miss(0, b"in-transaction"),
        lookup(0, "get", b"in-transaction"),
        miss(0, b"end"),
    ];
    assert_eq!(seen[..seen.len()], expected[..expected.len() - 1]);
    assert!(bursts[0].misses_told && bursts[0].unread == 0 && bursts[0].length_micros > 0);
}

#[tokio::test]
async fn an_idle_server_with_the_sample_on_shows_no_commands_and_no_lookups() {
    let server = announcing().await;
    let mut watch = Watch::new();
    let node = node(&server.address());
    let quick = Duration::from_millis(5);
    let events_options =
        EventsOptions { hand_on_every: quick, recheck_every: quick, ..EventsOptions::default() };
    let scan_options = ScanOptions {
        mode: ScanMode::Exact,
        repeat_every: Some(quick),
        unthrottled: true,
        ..ScanOptions::default()
    };
    let mut lab = server.connection().await.expect("connects");
    redis::cmd("SET").arg("there").arg(1).exec_async(&mut lab).await.expect("writes");
    tokio::spawn(events::run(watch.context.clone(), node.clone(), events_options));
    watch.until(|what| matches!(what, Observed::EventsBegan(_)).then_some(())).await;
    let commands_options = CommandsOptions { recheck_every: quick, ..CommandsOptions::default() };
    tokio::spawn(run(watch.context.clone(), node.clone(), commands_options));
    tokio::spawn(info::run(watch.context.clone(), node.clone(), InfoOptions { every: quick }));
    tokio::spawn(scan::run(watch.context.clone(), node, scan_options));
    let (mut infos, mut bursts, mut first) = (0, 0, None);
    while infos < 300 || bursts < 8 {
        match watch.next().await.what {
            Observed::Info(info) => {
                infos += 1;
                let others = (
                    info.commands_processed.cast_signed() - info.own.commands.cast_signed(),
                    info.keyspace_hits.cast_signed() - info.own.hits.cast_signed(),
                    info.keyspace_misses.cast_signed() - info.own.misses.cast_signed(),
                );
                assert_eq!(*first.get_or_insert(others), others, "reading {infos}, after {bursts} bursts");
            }
            Observed::Commands(burst) => {
                bursts += 1;
                assert_eq!((burst.commands, burst.unread, burst.keys.len()), (0, 0, 0), "{burst:?}");
            }
            _ => {}
        }
    }
}
