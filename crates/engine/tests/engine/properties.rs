use std::sync::Arc;

use cachescope_engine::{Engine, EngineOptions, HistoryQuery};
use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::metrics::{MetricsBatch, Sample, SignalValue};
use cachescope_model::observation::{EventChannels, Observation, Observed};
use cachescope_model::reading::{Certainty, Reading};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::sample::{CommandBurst, KeyUse, SampledKeys};
use cachescope_model::scan::{ScanChunk, ScanFinished, ScanMode, ScanStarted, ScannedKey, Ttl};
use cachescope_model::server::{CommandStat, DatabaseKeys, OwnTraffic, ServerInfo};
use cachescope_model::snapshot::Snapshot;
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;
use proptest::prelude::*;

use crate::support::{START, at, strategy};

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..1_000u64, 0..1_000_000_000u64, Just(u64::MAX), any::<u64>()]
}

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        20 => (0i64..400_000).prop_map(|millis| Timestamp::from_seconds(START).plus_millis(millis)),
        1 => any::<i64>().prop_map(Timestamp),
        1 => Just(Timestamp(i64::MAX)),
        1 => Just(Timestamp(i64::MIN)),
    ]
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "(user|org|cart):[0-9a-c]{1,2}(:[a-c])?".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..9)
    ]
}

fn server_info() -> impl Strategy<Value = Observed> {
    let counters = (number(), number(), number(), number(), number(), number(), number(), number());
    (counters, number(), "[ab]", number(), prop::bool::ANY).prop_map(
        |(counters, own, run_id, uptime_seconds, primary)| {
            let (hits, misses, evicted, expired, commands, used, limit, clients) = counters;
            let stat = CommandStat { command: "get".to_owned(), calls: hits, microseconds: misses };
            Observed::Info(Box::new(ServerInfo {
                run_id,
                uptime_seconds,
                role: if primary { "master".to_owned() } else { "slave".to_owned() },
                keyspace_hits: hits,
                keyspace_misses: misses,
                evicted_keys: evicted,
                expired_keys: expired,
                commands_processed: commands,
                used_memory: used,
                maxmemory: limit,
                connected_clients: clients,
                commands: vec![stat],
                databases: vec![DatabaseKeys { database: 0, keys: hits, expires: misses }],
                own: OwnTraffic { hits: own, misses: own, commands: own, gets: own, connections: own },
                ..ServerInfo::default()
            }))
        },
    )
}

fn metrics() -> impl Strategy<Value = Observed> {
    let name = prop_oneof![
        Just("cache_hits_total"),
        Just("cache_misses_total"),
        Just("cache_latency_seconds_bucket"),
        Just("cache_latency_seconds_sum"),
        Just("cache_latency_seconds_count"),
        Just("cache_latency_seconds"),
        Just("redis_keyspace_hits_total"),
        Just("redis_memory_used_bytes"),
        Just("redis_memory_max_bytes"),
    ];
    let value = prop_oneof![
        5 => (0..10_000u32).prop_map(f64::from),
        1 => any::<f64>(),
        1 => Just(f64::NAN),
        1 => Just(f64::MAX),
    ];
    let label = prop_oneof![
        Just(("type", "user")),
        Just(("type", "org")),
        Just(("layer", "memory")),
        Just(("quantile", "0.99")),
        Just(("le", "0.1")),
        Just(("le", "+Inf")),
        Just(("le", "NaN")),
        Just(("le", "-1")),
        Just(("instance", "a")),
        Just(("job", "b")),
    ];
    let sample =
        (name, prop::collection::vec(label, 0..4), value, moment()).prop_map(|(name, labels, value, at)| {
            let labels: Vec<_> =
                labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            Sample::new(name, &labels, value, at)
        });
    (prop::collection::vec(sample, 0..20), "[ab]", number()).prop_map(|(samples, endpoint, bad_lines)| {
        Observed::Metrics(MetricsBatch { endpoint, samples, bad_lines })
    })
}

fn observed() -> impl Strategy<Value = Observed> {
    let kind = prop_oneof![
        3 => Just(KeyEventKind::Miss),
        1 => Just(KeyEventKind::Evicted),
        1 => Just(KeyEventKind::Expired),
        1 => Just(KeyEventKind::Deleted),
        1 => Just(KeyEventKind::New),
    ];
    let batch = prop::collection::vec((kind, 0..3u16, key()), 0..30).prop_map(|events| {
        let mut batch = KeyEventBatch::default();
        for (kind, database, key) in events {
            batch.push(kind, database, &key);
        }
        Observed::Events(batch)
    });
    let maybe = || prop_oneof![3 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)];
    let began = (maybe(), maybe(), maybe(), maybe(), maybe()).prop_map(
        |(misses, evictions, expirations, deletions, additions)| {
            Observed::EventsBegan(EventChannels { misses, evictions, expirations, deletions, additions })
        },
    );
    let ttl =
        prop_oneof![Just(None), Just(Some(Ttl::None)), number().prop_map(|millis| Some(Ttl::Millis(millis)))];
    let scanned =
        (key(), prop::option::of(number()), ttl, any::<u16>()).prop_map(|(key, memory, ttl, stratum)| {
            ScannedKey { key: key.into(), stratum, memory, ttl, ..ScannedKey::default() }
        });
    let chunk =
        (0..3u64, number(), prop::collection::vec(scanned, 0..20)).prop_map(|(scan, database_keys, keys)| {
            Observed::ScanChunk(ScanChunk { scan, database: 0, database_keys, keys })
        });
    let mode = prop_oneof![
        Just(ScanMode::Exact),
        any::<f64>().prop_map(|half_width| ScanMode::Precise { half_width }),
        any::<u32>().prop_map(|weigh_every| ScanMode::Sampled { weigh_every })
    ];
    let used = prop_oneof![3 => Just(KeyUse::Lookup), 1 => Just(KeyUse::Miss), 1 => Just(KeyUse::Other)];
    let keys = prop::collection::vec((used, 0..3u16, key()), 0..30);
    let burst = (keys, number(), number(), number(), prop::bool::ANY).prop_map(
        |(uses, length_micros, commands, unread, misses_told)| {
            let mut keys = SampledKeys::default();
            for (used, database, key) in uses {
                keys.push(used, database, 0, &key);
            }
            let names = vec![Arc::from("get")];
            Observed::Commands(CommandBurst { length_micros, commands, unread, misses_told, names, keys })
        },
    );
    prop_oneof![
        4 => server_info(),
        6 => burst,
        6 => batch,
        2 => began,
        1 => Just(Observed::EventsLost),
        2 => key().prop_map(|key| Observed::OwnMiss { database: 0, key: key.into() }),
        2 => (0..3u64, mode).prop_map(|(scan, mode)| Observed::ScanStarted(ScanStarted { scan, mode, keys_expected: 1 })),
        3 => chunk,
        2 => (0..3u64, prop::bool::ANY, prop::bool::ANY).prop_map(|(scan, complete, whole)| Observed::ScanFinished(ScanFinished { scan, complete, whole })),
        5 => metrics(),
        1 => (any::<f64>(), moment()).prop_map(|(value, at)| {
            Observed::Signals(vec![SignalValue { signal: "s".to_owned(), value: Some(value), at }])
        }),
        1 => moment().prop_map(|since| Observed::Status(SourceStatus {
            source: SourceId::Events,
            health: SourceHealth::Partial,
            since,
            detail: "x".to_owned(),
            remedy: String::new(),
        })),
    ]
}

fn sane(name: &str, kind: ReadingKind, reading: &Reading) -> Result<(), TestCaseError> {
    prop_assert_eq!(
        reading.value.is_none(),
        reading.certainty == Certainty::Unavailable,
        "{} {:?}",
        name,
        kind
    );
    if reading.certainty == Certainty::Unavailable {
        prop_assert!(
            reading.reason.as_deref().is_some_and(|reason| !reason.is_empty()),
            "{} {:?}",
            name,
            kind
        );
    }
    for value in [reading.value, reading.low, reading.high].into_iter().flatten() {
        prop_assert!(value.is_finite() && value >= 0.0, "{} {:?}: {:?}", name, kind, reading);
    }
    if let (Some(value), Some(low)) = (reading.value, reading.low) {
        prop_assert!(low <= value, "{} {:?}: {:?}", name, kind, reading);
    }
    if let (Some(value), Some(high)) = (reading.value, reading.high) {
        prop_assert!(high >= value, "{} {:?}: {:?}", name, kind, reading);
    }
    if matches!(kind, ReadingKind::HitRate | ReadingKind::NoTtlRatio) {
        prop_assert!(reading.value.is_none_or(|value| value <= 1.0), "{} {:?}: {:?}", name, kind, reading);
    }
    prop_assert!(reading.window_seconds.is_finite() && reading.window_seconds >= 0.0);
    Ok(())
}

fn whole(snapshot: &Snapshot) -> Result<(), TestCaseError> {
    for spec in ReadingKind::ALL {
        sane("instance", spec.kind, &snapshot.instance[&spec.kind])?;
    }
    let mut causes = 0;
    for row in &snapshot.namespaces {
        for spec in ReadingKind::ALL.iter().filter(|spec| spec.per_namespace) {
            let reading = row.readings.get(&spec.kind);
            prop_assert!(reading.is_some(), "{} lacks {:?}", row.namespace, spec.kind);
            if let Some(reading) = reading {
                sane(&row.namespace, spec.kind, &reading)?;
            }
        }
        causes += row.miss_causes.total();
    }
    prop_assert_eq!(causes, snapshot.miss_causes.total());
    for total in &snapshot.control_totals {
        prop_assert!(total.counted.is_finite() && total.server.is_finite());
    }
    let last = snapshot.namespaces.last().map(|row| row.namespace.as_str());
    prop_assert_eq!(last, Some(""), "the remainder comes last");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_observed_nothing_panics_and_every_reading_makes_sense(
        observations in prop::collection::vec((moment(), "[ab]", observed()), 0..120),
        window in prop::sample::select(&Window::ALL[..]),
        from in moment(),
        to in moment(),
    ) {
        let documented = strategy(&[("user:{id}", "user"), ("org:{id}", "org")]);
        let mut engine = Engine::new(&documented, EngineOptions { max_discovered: 5, tombstones: 64 });
        for (at, node, what) in observations {
            engine.observe(&Observation { at, node: Arc::from(node), what });
        }
        whole(&engine.snapshot(to, window))?;
        engine.advance(to);
        whole(&engine.snapshot(to, window))?;
        for spec in ReadingKind::ALL {
            for namespace in [None, Some("user:{id}".to_owned()), Some(String::new())] {
                let query = HistoryQuery { namespace, kind: spec.kind, from, to, points: 50 };
                for point in engine.history(&query) {
                    for value in [point.value, point.low, point.high].into_iter().flatten() {
                        prop_assert!(value.is_finite() && value >= 0.0, "{:?} {:?}", spec.kind, point);
                    }
                    prop_assert!(point.low.is_none() || point.low <= point.value, "{:?} {:?}", spec.kind, point);
                    prop_assert!(point.high.is_none() || point.high >= point.value, "{:?} {:?}", spec.kind, point);
                }
            }
        }
    }

    #[test]
    fn the_causes_of_misses_add_up_to_the_misses_and_so_do_the_rows(
        seconds in prop::collection::vec(prop::collection::vec((0..5usize, key()), 0..20), 1..50),
    ) {
        let kinds = [KeyEventKind::Miss, KeyEventKind::Miss, KeyEventKind::Evicted, KeyEventKind::Expired, KeyEventKind::Deleted];
        let mut engine = Engine::new(&strategy(&[("user:{id}", "user")]), EngineOptions { max_discovered: 3, tombstones: 32 });
        let mut observe = |seconds: f64, what| {
            engine.observe(&Observation { at: at(seconds), node: Arc::from("a"), what });
        };
        let on = EventChannels { misses: Some(true), evictions: Some(true), expirations: Some(true), ..EventChannels::default() };
        observe(-1.0, Observed::EventsBegan(on));
        let mut misses = 0;
        for (second, events) in seconds.iter().enumerate() {
            let mut batch = KeyEventBatch::default();
            for (kind, key) in events {
                batch.push(kinds[*kind], 0, key);
                misses += u64::from(*kind < 2);
            }
            observe(second as f64, Observed::Events(batch));
        }
        engine.advance(at(55.0));
        let snapshot = engine.snapshot(at(55.0), Window::OneMinute);
        prop_assert_eq!(snapshot.miss_causes.total(), misses);
        let rates: f64 = snapshot.namespaces.iter().filter_map(|row| {
            let reading = row.readings.get(&ReadingKind::MissesPerSecond)?;
            reading.value.map(|value| value * reading.window_seconds)
        }).sum();
        prop_assert!((rates - misses as f64).abs() < 1e-6 * (1.0 + misses as f64), "{} is not {}", rates, misses);
    }
}
