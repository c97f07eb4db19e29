//! How long twenty firing alerts take to be explained over 5,000 namespaces, against the five seconds between two
//! evaluations.
//!
//! Prints one line a figure: name, value, unit.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_engine::triage::{Compared, Question};
use cachescope_engine::{Engine, EngineOptions};
use cachescope_model::alert::{Alert, AlertLabels, AlertState};
use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::observation::{EventChannels, Observation, Observed};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::server::ServerInfo;
use cachescope_model::strategy::{Comparison, Namespace, Rule, Severity, Strategy, Subject, Threshold};
use cachescope_model::template::Template;
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;

const NAMESPACES: usize = 5_000;
const ALERTS: usize = 20;
/// When the incident begins and when it is asked about, in seconds.
const ONSET: i64 = 600;
const ASKED: i64 = 720;
/// Between two evaluations.
const INTERVAL: Duration = Duration::from_secs(5);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

/// Every namespace misses once in two seconds, and from the onset on a tenth of them six times as often.
fn engine() -> Engine {
    let strategy = Strategy {
        namespaces: (0..NAMESPACES)
            .map(|number| Template::parse(&format!("ns{number}:{{id}}")).expect("a valid template"))
            .map(Namespace::new)
            .collect(),
        ..Strategy::default()
    };
    let mut engine = Engine::new(&strategy, EngineOptions::default());
    let node: Arc<str> = Arc::from("redis:6379");
    let see = |engine: &mut Engine, seconds: i64, what: Observed| {
        engine.observe(&Observation { at: at(seconds), node: node.clone(), what });
    };
    let on = Some(true);
    let channels =
        EventChannels { misses: on, evictions: on, expirations: on, deletions: None, additions: None };
    see(&mut engine, 0, Observed::EventsBegan(channels));
    let (mut misses, mut evicted) = (0, 0);
    for second in 0..ASKED {
        let mut batch = KeyEventBatch::default();
        for number in 0..NAMESPACES as i64 {
            let key = format!("ns{number}:{second}");
            if (number + second) % 2 == 0 {
                batch.push(KeyEventKind::Miss, 0, key.as_bytes());
                misses += 1;
            }
            if second >= ONSET && number % 10 == 0 {
                batch.push(KeyEventKind::Evicted, 0, key.as_bytes());
                evicted += 1;
                for _ in 0..3 {
                    batch.push(KeyEventKind::Miss, 0, key.as_bytes());
                    misses += 1;
                }
            }
        }
        see(&mut engine, second, Observed::Events(batch));
        let info = ServerInfo {
            run_id: "a".to_owned(),
            role: "master".to_owned(),
            uptime_seconds: 1_000 + second as u64,
            keyspace_hits: 20_000 * second as u64,
            keyspace_misses: misses,
            evicted_keys: evicted,
            used_memory: 950,
            maxmemory: 1_000,
            ..ServerInfo::default()
        };
        see(&mut engine, second, Observed::Info(Box::new(info)));
        engine.advance(at(second));
    }
    engine
}

fn rule(number: usize) -> Rule {
    let (subject, comparison) = match number % 4 {
        0 => (Subject::Instance { reading: ReadingKind::HitRate }, Comparison::Below),
        1 => (Subject::Instance { reading: ReadingKind::EvictionRatio }, Comparison::Above),
        2 => (Subject::Instance { reading: ReadingKind::MemoryRatio }, Comparison::Above),
        _ => {
            let reading = ReadingKind::MissesPerSecond;
            (Subject::Namespaces { namespaces: Vec::new(), reading }, Comparison::Above)
        }
    };
    Rule {
        name: format!("Rule{number}"),
        subject,
        window: [Window::OneMinute, Window::FiveMinutes][number % 2],
        threshold: Some(Threshold { comparison, value: 0.5 }),
        for_duration: Duration::ZERO,
        keep_firing_for: Duration::ZERO,
        minimum_lookups: 0,
        severity: Severity::Warning,
        summary: String::new(),
        action: String::new(),
        playbook: None,
        warm: None,
        documented: String::new(),
        note: String::new(),
    }
}

/// Alerts that all pass their threshold at the same evaluation, or each some seconds after the one before.
fn alert(rule: &Rule, number: usize, apart: i64) -> Alert {
    let active_at = at(ONSET + 20 + apart * number as i64);
    let mut labels = AlertLabels::new();
    if matches!(rule.subject, Subject::Namespaces { .. }) {
        labels.insert("namespace".to_owned(), format!("ns{}:{{id}}", 10 * number));
    }
    Alert {
        rule: rule.name.clone(),
        labels,
        state: AlertState::Firing,
        active_at,
        fired_at: Some(active_at),
        resolved_at: None,
        keep_firing_since: None,
        gap: None,
        value: Some(0.4),
        low: None,
        high: None,
        reason: String::new(),
    }
}

#[expect(clippy::print_stdout, reason = "the figures are this program's result")]
fn main() {
    let engine = engine();
    for (name, apart) in [("of one cause", 0), ("that began at different times", 4)] {
        let alerts: Vec<(Rule, Alert)> = (0..ALERTS)
            .map(|number| {
                let rule = rule(number);
                let alert = alert(&rule, number, apart);
                (rule, alert)
            })
            .collect();
        for (how, shared) in [("each for itself", false), ("compared once", true)] {
            let mut times = Vec::new();
            for _ in 0..10 {
                let mut compared = Compared::new();
                let started = Instant::now();
                for (rule, alert) in &alerts {
                    if !shared {
                        compared = Compared::new();
                    }
                    let question = Question { rule, alert, now: at(ASKED), marks: &[] };
                    let triage = black_box(engine.triage(&question, &mut compared));
                    assert!(!triage.sentence.is_empty(), "an alert is explained");
                }
                times.push(started.elapsed());
            }
            times.sort();
            let median = times[5].as_secs_f64();
            println!("triage: {ALERTS} alerts {name}, {how}, median {:.1} ms", median * 1e3);
            println!(
                "triage: {ALERTS} alerts {name}, {how}, of the interval {:.4} ratio",
                median / INTERVAL.as_secs_f64()
            );
        }
    }
}
