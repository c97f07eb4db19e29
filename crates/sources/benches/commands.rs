//! How fast a feed of MONITOR is read: lines a second on one core, and the ratio to a plain split of each line
//! into words.
//!
//! `cargo bench -p cachescope-sources --bench commands`

#![allow(missing_docs, clippy::print_stdout)] // a bench's result is what it prints

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use cachescope_model::events::KeyEventKind;
use cachescope_sources::redis::commands::{Collector, Feed, Item, Lookups};

const LINES: usize = 400_000;
const ROUNDS: usize = 7;
/// Bytes that a socket gives at once.
const READ: usize = 16 * 1024;

fn main() {
    for (name, feed) in [("reads", reads()), ("mixed", mixed())] {
        let size = feed.len() as f64 / 1e6;
        let (ours, keys) = fastest(|| ours(feed.as_bytes()));
        let (plain, words) = fastest(|| plain(&feed));
        println!(
            "commands/{name}: {LINES} lines, {size:.0} MB: {:.2} million lines/s ({keys} keys); splitting into words \
             {:.2} million lines/s ({words} words); ratio {:.2}",
            LINES as f64 / ours / 1e6,
            LINES as f64 / plain / 1e6,
            plain / ours
        );
    }
}

fn fastest(mut work: impl FnMut() -> usize) -> (f64, usize) {
    let mut best = f64::INFINITY;
    let mut result = 0;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        result = black_box(work());
        best = best.min(started.elapsed().as_secs_f64());
    }
    (best, result)
}

/// The whole way of a burst's bytes, in bursts of 20,000 lines.
fn ours(mut bytes: &[u8]) -> usize {
    let mut lookups = Lookups::new("7.0.15");
    let (mut feed, mut collector) = (Feed::default(), Collector::default());
    let (mut keys, mut lines) = (0, 0);
    loop {
        while let Ok(Some(item)) = feed.take() {
            match item {
                Item::Line(line, _) => {
                    collector.line(&line, &mut lookups);
                    lines += 1;
                }
                Item::Event { kind: KeyEventKind::Miss, database, key } => collector.miss(database, key),
                _ => {}
            }
        }
        if lines >= 20_000 || bytes.is_empty() {
            lines = 0;
            keys += std::mem::take(&mut collector).finish(1, true).keys.len();
        }
        if bytes.is_empty() {
            return keys;
        }
        let space = feed.space();
        let count = space.len().min(READ).min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        feed.filled(count);
        bytes = &bytes[count..];
    }
}

/// What one would write first: no escapes, no quotes, no keys.
fn plain(feed: &str) -> usize {
    feed.lines()
        .filter(|line| line.starts_with("+1"))
        .map(|line| line.split(' ').map(str::to_owned).count())
        .sum()
}

fn reads() -> String {
    let mut feed = String::new();
    for number in 0..LINES {
        let _ = write!(
            feed,
            "+1795181777.{:06} [0 127.0.0.1:48866] \"GET\" \"organization:{}:{}\"\r\n",
            number % 1_000_000,
            number % 97,
            number * 31 % 100_003
        );
    }
    feed
}

/// Reads, writes, hashes, many keys at once, keys with escapes, scripts, and a miss for every tenth line.
fn mixed() -> String {
    let mut feed = String::new();
    let value = "v".repeat(200);
    for number in 0..LINES {
        if number % 10 == 0 {
            let key = format!("session:{number:08}");
            let _ = write!(
                feed,
                ">3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:keymiss\r\n${}\r\n{key}\r\n",
                key.len()
            );
        }
        let micros = number % 1_000_000;
        let _ = match number % 8 {
            0 => write!(
                feed,
                "+1795181777.{micros:06} [0 10.0.0.1:4] \"SET\" \"user:{number}\" \"{value}\" \"EX\" \"60\"\r\n"
            ),
            1 => write!(feed, "+1795181777.{micros:06} [3 [::1]:4] \"hgetall\" \"cart:{number}\"\r\n"),
            2 => write!(feed, "+1795181777.{micros:06} [0 lua] \"get\" \"lock:{number}\"\r\n"),
            3 => write!(
                feed,
                "+1795181777.{micros:06} [0 10.0.0.1:4] \"MGET\" \"a:{number}\" \"b:{number}\" \"c:{number}\"\r\n"
            ),
            4 => write!(
                feed,
                "+1795181777.{micros:06} [0 unix:/run/redis.sock] \"GET\" \"\\xff\\x00odd \\\"key\\\" {number}\"\r\n"
            ),
            _ => write!(feed, "+1795181777.{micros:06} [0 10.0.0.1:4] \"GET\" \"user:{number}:profile\"\r\n"),
        };
    }
    feed
}
