//! What taking in costs: sampled keys and keyspace events a second through `Engine::observe`, beside counting
//! the same keys in a plain hash map.
//!
//! Prints one line a figure: name, value, unit, ratio to the peer.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_engine::{Engine, EngineOptions};
use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::observation::{EventChannels, Observation, Observed};
use cachescope_model::sample::{CommandBurst, KeyUse};
use cachescope_model::server::ServerInfo;
use cachescope_model::strategy::{Namespace, Strategy};
use cachescope_model::template::Template;
use cachescope_model::time::Timestamp;

/// Keys of one burst or batch.
const BATCH: usize = 1_000;
/// Seconds of observed time; batches a second.
const SECONDS: i64 = 60;
const BATCHES: i64 = 20;

/// Numbers that are spread out and the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Keys of 100 namespaces; a third of the draws are hot keys.
    fn key(&mut self, text: &mut String) {
        let (namespace, id) = (self.next() % 100, self.next());
        let id = if id % 3 == 0 { id % 10 } else { id % 1_000_000 };
        text.clear();
        let _ = write!(text, "service{namespace}:tenant-{}:{id}", namespace % 7);
    }
}

fn documented() -> Strategy {
    let template = |number| Template::parse(&format!("service{number}:{{tenant}}:{{id}}"));
    let namespace = |number| Namespace::new(template(number).expect("a valid template"));
    Strategy { namespaces: (0..100).map(namespace).collect(), ..Strategy::default() }
}

fn at(batch: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000).plus_millis(batch * 1000 / BATCHES)
}

struct Bench {
    engine: Engine,
    node: Arc<str>,
}

impl Bench {
    fn new(strategy: &Strategy, additions: bool) -> Self {
        let mut bench =
            Self { engine: Engine::new(strategy, EngineOptions::default()), node: Arc::from("redis:6379") };
        let on = Some(true);
        let channels = EventChannels {
            misses: on,
            evictions: on,
            expirations: on,
            deletions: Some(additions),
            additions: Some(additions),
        };
        bench.observe(0, Observed::EventsBegan(channels));
        bench
    }

    fn observe(&mut self, batch: i64, what: Observed) -> Duration {
        let observation = Observation { at: at(batch), node: self.node.clone(), what };
        let began = Instant::now();
        self.engine.observe(black_box(&observation));
        began.elapsed()
    }

    /// INFO once a second, as a live server sends it.
    fn info(&mut self, batch: i64, lookups: u64) -> Duration {
        if batch % BATCHES != 0 {
            return Duration::ZERO;
        }
        let info = ServerInfo {
            run_id: "a".to_owned(),
            uptime_seconds: 100 + (batch / BATCHES) as u64,
            keyspace_hits: lookups * 9,
            keyspace_misses: lookups,
            ..ServerInfo::default()
        };
        self.observe(batch, Observed::Info(Box::new(info)))
    }
}

fn bursts(strategy: &Strategy) -> (f64, f64) {
    let mut bench = Bench::new(strategy, false);
    let (mut numbers, mut text) = (Numbers(7), String::new());
    let (mut spent, mut counted, mut keys) = (Duration::ZERO, Duration::ZERO, 0usize);
    let mut peer = HashMap::<Vec<u8>, u64>::new();
    for batch in 0..SECONDS * BATCHES {
        let mut burst = CommandBurst {
            length_micros: 10_000,
            commands: BATCH as u64,
            misses_told: true,
            names: vec![Arc::from("get")],
            ..CommandBurst::default()
        };
        for number in 0..BATCH {
            numbers.key(&mut text);
            if number % 10 == 0 {
                burst.keys.push(KeyUse::Miss, 0, 0, text.as_bytes());
            }
            burst.keys.push(KeyUse::Lookup, 0, 0, text.as_bytes());
        }
        keys += BATCH;
        let began = Instant::now();
        for used in burst.keys.iter() {
            match peer.get_mut(used.key) {
                Some(count) => *count += 1,
                None => {
                    peer.insert(used.key.to_vec(), 1);
                }
            }
        }
        counted += began.elapsed();
        spent += bench.info(batch, keys as u64);
        spent += bench.observe(batch, Observed::Commands(burst));
    }
    black_box(peer.len());
    (keys as f64 / spent.as_secs_f64(), keys as f64 / counted.as_secs_f64())
}

fn events(strategy: &Strategy, additions: bool) -> f64 {
    let mut bench = Bench::new(strategy, additions);
    let (mut numbers, mut text) = (Numbers(11), String::new());
    let (mut spent, mut count) = (Duration::ZERO, 0usize);
    for batch in 0..SECONDS * BATCHES {
        let mut events = KeyEventBatch::default();
        while events.len() < BATCH {
            numbers.key(&mut text);
            let key = text.as_bytes();
            match numbers.next() % 8 {
                0 => events.push(KeyEventKind::Evicted, 0, key),
                1 | 2 => {
                    events.push(KeyEventKind::Expired, 0, key);
                    events.push(KeyEventKind::Miss, 0, key);
                }
                3 if additions => events.push(KeyEventKind::New, 0, key),
                4 if additions => events.push(KeyEventKind::Deleted, 0, key),
                _ => events.push(KeyEventKind::Miss, 0, key),
            }
        }
        count += events.len();
        spent += bench.info(batch, count as u64);
        // Now and then a lookup of ours missed too, and its event is among the next.
        for _ in 0..2 {
            numbers.key(&mut text);
            let key = bytes::Bytes::copy_from_slice(text.as_bytes());
            spent += bench.observe(batch, Observed::OwnMiss { database: 0, key });
        }
        spent += bench.observe(batch, Observed::Events(events));
    }
    count as f64 / spent.as_secs_f64()
}

fn main() {
    let mut out = String::new();
    for (name, strategy) in [("documented", documented()), ("discovered", Strategy::default())] {
        let (ours, peer) = bursts(&strategy);
        let _ = writeln!(
            out,
            "sampled keys, {name} namespaces: {:.2} million/s; plain hash map: {:.2}; ratio {:.2} (at least 1 million/s \
             are needed)",
            ours / 1e6,
            peer / 1e6,
            ours / peer
        );
        for additions in [false, true] {
            let all =
                if additions { "misses, removals and additions" } else { "misses, evictions, expirations" };
            let rate = events(&strategy, additions) / 1e6;
            let _ = writeln!(
                out,
                "events ({all}), {name} namespaces: {rate:.2} million/s (at least 0.3 are needed)"
            );
        }
    }
    emit(&out);
}

#[expect(clippy::print_stdout, reason = "the figures are this program's result")]
fn emit(text: &str) {
    print!("{text}");
}
