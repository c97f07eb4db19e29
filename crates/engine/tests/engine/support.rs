//! A small notation for observations at seconds of a run.

use std::sync::Arc;
use std::time::Duration;

use cachescope_engine::{Engine, EngineOptions};
use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::metrics::{MetricsBatch, Sample};
use cachescope_model::observation::{EventChannels, Observation, Observed};
use cachescope_model::reading::Reading;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::sample::{CommandBurst, KeyUse};
use cachescope_model::scan::{ScanChunk, ScanFinished, ScanMode, ScanStarted, ScannedKey, Ttl};
use cachescope_model::server::{DatabaseKeys, OwnTraffic, ServerInfo};
use cachescope_model::snapshot::{NamespaceSnapshot, Snapshot};
use cachescope_model::strategy::{Namespace, Strategy};
use cachescope_model::template::Template;
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;

pub(crate) const START: i64 = 1_800_000_000;

/// Seconds of the run as a timestamp.
pub(crate) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(START).plus_millis((seconds * 1000.0).round() as i64)
}

pub(crate) struct Run {
    pub(crate) engine: Engine,
}

pub(crate) fn strategy(namespaces: &[(&str, &str)]) -> Strategy {
    Strategy {
        namespaces: namespaces
            .iter()
            .map(|(template, label)| {
                let mut namespace = Namespace::new(Template::parse(template).expect("a template"));
                namespace.title = (*label).to_owned();
                namespace.name = (*label).to_owned();
                namespace.metric_labels = vec![(*label).to_owned()];
                namespace.ttl = Some(Duration::from_secs(60));
                namespace
            })
            .collect(),
        ..Strategy::default()
    }
}

impl Run {
    pub(crate) fn new(strategy: &Strategy) -> Self {
        Self { engine: Engine::new(strategy, EngineOptions::default()) }
    }

    pub(crate) fn see(&mut self, seconds: f64, node: &str, what: Observed) {
        self.engine.observe(&Observation { at: at(seconds), node: Arc::from(node), what });
    }

    pub(crate) fn info(&mut self, seconds: f64, info: ServerInfo) {
        self.see(seconds, "redis:6379", Observed::Info(Box::new(info)));
    }

    pub(crate) fn began(&mut self, seconds: f64) {
        let channels = EventChannels {
            misses: Some(true),
            evictions: Some(true),
            expirations: Some(true),
            deletions: Some(false),
            additions: Some(false),
        };
        self.see(seconds, "redis:6379", Observed::EventsBegan(channels));
    }

    pub(crate) fn events(&mut self, seconds: f64, events: &[(KeyEventKind, &str)]) {
        let mut batch = KeyEventBatch::default();
        for (kind, key) in events {
            batch.push(*kind, 0, key.as_bytes());
        }
        self.see(seconds, "redis:6379", Observed::Events(batch));
    }

    /// A burst that lasted so many milliseconds: keys that were looked up, and whether each was there. Where
    /// misses are told, their events come before the lookup.
    pub(crate) fn burst(&mut self, seconds: f64, millis: u64, misses_told: bool, lookups: &[(&str, bool)]) {
        let mut burst = CommandBurst {
            length_micros: millis * 1_000,
            commands: lookups.len() as u64,
            misses_told,
            names: vec![Arc::from("get")],
            ..CommandBurst::default()
        };
        for (key, hit) in lookups {
            if misses_told && !hit {
                burst.keys.push(KeyUse::Miss, 0, 0, key.as_bytes());
            }
            burst.keys.push(KeyUse::Lookup, 0, 0, key.as_bytes());
        }
        self.see(seconds, "redis:6379", Observed::Commands(burst));
    }

    pub(crate) fn own_miss(&mut self, seconds: f64, key: &str) {
        let key = bytes::Bytes::copy_from_slice(key.as_bytes());
        self.see(seconds, "redis:6379", Observed::OwnMiss { database: 0, key });
    }

    /// A page fetched now: lines such as `cache_hits_total{layer=redis,type=a} 5`.
    pub(crate) fn page(&mut self, seconds: f64, lines: &[&str]) {
        let samples = lines.iter().map(|line| sample(line, seconds)).collect();
        self.metrics(seconds, "http://app/metrics", samples);
    }

    pub(crate) fn metrics(&mut self, seconds: f64, endpoint: &str, samples: Vec<Sample>) {
        let batch = MetricsBatch { endpoint: endpoint.to_owned(), samples, bad_lines: 0 };
        self.see(seconds, endpoint, Observed::Metrics(batch));
    }

    pub(crate) fn scan(
        &mut self,
        seconds: f64,
        number: u64,
        mode: ScanMode,
        keys: &[(&str, Option<u64>, Option<Ttl>)],
    ) {
        let node = "redis:6379";
        let keys_expected = keys.len() as u64;
        self.see(seconds, node, Observed::ScanStarted(ScanStarted { scan: number, mode, keys_expected }));
        let keys = keys.iter().map(|(key, memory, ttl)| ScannedKey {
            key: bytes::Bytes::copy_from_slice(key.as_bytes()),
            memory: *memory,
            ttl: *ttl,
            ..ScannedKey::default()
        });
        let chunk =
            ScanChunk { scan: number, database: 0, database_keys: keys_expected, keys: keys.collect() };
        self.see(seconds, node, Observed::ScanChunk(chunk));
        self.see(
            seconds,
            node,
            Observed::ScanFinished(ScanFinished { scan: number, complete: true, whole: true }),
        );
    }

    pub(crate) fn minute(&mut self, seconds: f64) -> Snapshot {
        self.snapshot(seconds, Window::OneMinute)
    }

    pub(crate) fn snapshot(&mut self, seconds: f64, window: Window) -> Snapshot {
        self.engine.advance(at(seconds));
        self.engine.snapshot(at(seconds), window)
    }
}

pub(crate) fn sample(line: &str, seconds: f64) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let pairs = labels.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
    let mut labels: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    labels.sort();
    Sample::new(name, &labels, value.parse().expect("a number"), at(seconds))
}

/// INFO with these counters, at this uptime.
pub(crate) fn info(uptime: u64, hits: u64, misses: u64) -> ServerInfo {
    ServerInfo {
        version: "7.0.15".to_owned(),
        engine: "redis".to_owned(),
        run_id: "a".to_owned(),
        uptime_seconds: uptime,
        mode: "standalone".to_owned(),
        role: "master".to_owned(),
        keyspace_hits: hits,
        keyspace_misses: misses,
        commands_processed: hits + misses,
        used_memory: 1_000_000,
        maxmemory: 4_000_000,
        maxmemory_policy: "allkeys-lru".to_owned(),
        connected_clients: 5,
        databases: vec![DatabaseKeys { database: 0, keys: 10, expires: 8 }],
        own: OwnTraffic { connections: 2, ..OwnTraffic::default() },
        ..ServerInfo::default()
    }
}

pub(crate) fn row<'a>(snapshot: &'a Snapshot, namespace: &str) -> &'a NamespaceSnapshot {
    let found = snapshot.namespaces.iter().find(|row| row.namespace == namespace);
    found.unwrap_or_else(|| {
        panic!(
            "no {namespace:?} in {:?}",
            snapshot.namespaces.iter().map(|row| &row.namespace).collect::<Vec<_>>()
        )
    })
}

pub(crate) fn of(snapshot: &Snapshot, namespace: &str, kind: ReadingKind) -> Reading {
    row(snapshot, namespace).readings.get(&kind).expect("the row has a reading of this kind")
}

#[track_caller]
pub(crate) fn near(reading: &Reading, expected: f64) {
    let value = reading.value.unwrap_or_else(|| panic!("unavailable: {:?}", reading.reason));
    assert!(
        (value - expected).abs() <= 1e-9 + expected.abs() * 1e-3,
        "{value} is not {expected}: {reading:?}"
    );
}

#[track_caller]
pub(crate) fn says(reading: &Reading, words: &str) {
    let reason = reading.reason.as_deref().unwrap_or_default();
    assert!(reason.contains(words), "{words:?} is not said: {reading:?}");
}
