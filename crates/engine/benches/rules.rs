//! How long ten thousand rule instances take to be judged.
//!
//! Prints one line a figure: name, value, unit.

use std::hint::black_box;
use std::time::{Duration, Instant};

use cachescope_engine::rules::{Evaluator, EvaluatorOptions, Inputs};
use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::row_readings::RowReadings;
use cachescope_model::snapshot::{MissCauses, NamespaceOrigin, NamespaceSnapshot, Snapshot};
use cachescope_model::strategy::{Comparison, Rule, Severity, Strategy, Subject, Threshold};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;

const NAMESPACES: usize = 1_000;
const READINGS: [ReadingKind; 10] = [
    ReadingKind::HitRate,
    ReadingKind::LookupsPerSecond,
    ReadingKind::MissesPerSecond,
    ReadingKind::LatencyP95Seconds,
    ReadingKind::LatencyP99Seconds,
    ReadingKind::LatencyMeanSeconds,
    ReadingKind::MemoryBytes,
    ReadingKind::Keys,
    ReadingKind::EvictionRatio,
    ReadingKind::NoTtlRatio,
];

fn rule(place: usize, reading: ReadingKind) -> Rule {
    Rule {
        name: format!("Rule{place}"),
        subject: Subject::Namespaces { namespaces: Vec::new(), reading },
        window: Window::OneMinute,
        threshold: Some(Threshold { comparison: Comparison::Below, value: 0.8 }),
        for_duration: Duration::from_secs(60),
        keep_firing_for: Duration::ZERO,
        minimum_lookups: 100,
        severity: Severity::Warning,
        summary: String::new(),
        action: String::new(),
        playbook: None,
        warm: None,
        documented: String::new(),
        note: String::new(),
    }
}

/// A snapshot in which `past` of ten namespaces are past every threshold.
fn snapshot(past: usize) -> Snapshot {
    let row = |number: usize| {
        let value = if number % 10 < past { 0.5 } else { 0.9 };
        let mut readings: Readings = READINGS
            .iter()
            .map(|kind| (*kind, Reading::estimated(value, value - 0.01, value + 0.01, "sample", 60.0)))
            .collect();
        readings.insert(ReadingKind::LookupsPerSecond, Reading::exact(50.0, "INFO", 60.0));
        NamespaceSnapshot {
            namespace: format!("entity:kind{number}:{{id}}"),
            origin: NamespaceOrigin::Discovered,
            readings: RowReadings::from(&readings),
            ..NamespaceSnapshot::empty()
        }
    };
    Snapshot {
        at: Timestamp(0),
        window: Window::OneMinute,
        instance: Readings::new(),
        miss_causes: MissCauses::default(),
        nodes: Vec::new(),
        namespaces: (0..NAMESPACES).map(row).collect(),
        layers: Vec::new(),
        by_node: Vec::new(),
        signals: [].into(),
        sources: Vec::new(),
        control_totals: Vec::new(),
        findings: Vec::new(),
    }
}

#[expect(clippy::print_stdout, reason = "the figures are this program's result")]
fn main() {
    for (name, past) in [("none past", 0), ("one in ten past", 1), ("all past", 10)] {
        let snapshot = snapshot(past);
        let rules = READINGS.iter().enumerate().map(|(place, reading)| rule(place, *reading));
        let mut evaluator = Evaluator::new(rules, &Strategy::default(), EvaluatorOptions::default());
        let mut times = Vec::new();
        for round in 0..50 {
            let inputs = Inputs::new().snapshot(&snapshot);
            let started = Instant::now();
            black_box(evaluator.evaluate(Timestamp::from_seconds(round * 15), &inputs));
            times.push(started.elapsed());
        }
        times.sort();
        let judged: u32 = evaluator.statuses().iter().map(|status| status.judged).sum();
        println!("rules: {judged} instances, {name}, median {:.2} ms", times[25].as_secs_f64() * 1e3);
        println!("rules: {judged} instances, {name}, slowest of 50 {:.2} ms", times[49].as_secs_f64() * 1e3);
        println!(
            "rules: {judged} instances, {name}, of the 50 ms bound {:.3} ratio",
            times[25].as_secs_f64() / 0.05
        );
    }
}
