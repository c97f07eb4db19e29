//! Several servers: what adds up, what is counted once, and what a silent, new or departed one does to figures.

use std::time::Duration;

use cachescope_engine::rules::{Evaluator, EvaluatorOptions, Inputs};
use cachescope_engine::triage::{Compared, Question};
use cachescope_model::alert::RuleHealth;
use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::observation::{EventChannels, Observed};
use cachescope_model::reading::Certainty;
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::scan::{ScanChunk, ScanFinished, ScanMode, ScanStarted, ScannedKey};
use cachescope_model::server::ServerInfo;
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_model::strategy::{Comparison, Rule, Severity, Strategy, Subject, Threshold};
use cachescope_model::topology::{NodeRole, Topology, TopologyKind, TopologyNode};
use cachescope_model::window::Window;

use crate::support::{Run, at, info, near, of, says, strategy};

/// `a+` is a primary and `a-` its replica; a `!` after it is called failed, a `?` can't be reached, a `~` has no slot.
fn topology(words: &str) -> Observed {
    let mut shards: Vec<char> = Vec::new();
    let nodes = words.split(' ').filter(|word| !word.is_empty()).map(|word| {
        let letter = word.chars().next().expect("a letter");
        let shard = shards.iter().position(|known| *known == letter).unwrap_or_else(|| {
            shards.push(letter);
            shards.len() - 1
        });
        let name = word.trim_end_matches(['!', '?', '~', '+', '-']);
        TopologyNode {
            node: name.into(),
            role: if word.contains('-') { NodeRole::Replica } else { NodeRole::Primary },
            shard: shard as u32,
            failed: word.ends_with('!'),
            unreachable: word.ends_with('?'),
            slotless: word.ends_with('~'),
        }
    });
    let nodes = nodes.collect();
    Observed::Topology(Box::new(Topology { kind: TopologyKind::Cluster, nodes, ..Topology::default() }))
}

fn server(name: &str, role: &str, second: u64, per_second: u64) -> Observed {
    let mut info = info(1_000 + second, per_second * second, 0);
    info.run_id = name.to_owned();
    info.role = role.to_owned();
    info.evicted_keys = 3 * second;
    info.commands_processed = 1_000 * second;
    Observed::Info(Box::new(info))
}

fn near_seconds(run: &mut Run, second: f64, kind: R, expected: f64) {
    let snapshot = run.snapshot(second, Window::TenSeconds);
    near(&snapshot.instance[&kind], expected);
}

#[test]
fn lookups_add_up_over_all_and_levels_and_removals_over_primaries() {
    let mut run = Run::new(&Strategy::default());
    run.see(0.0, "a1", topology("a1+ a2- b1+"));
    for second in 0..30 {
        run.see(second as f64, "a1", server("a1", "master", second, 10));
        run.see(second as f64, "a2", server("a2", "slave", second, 5));
        run.see(second as f64, "b1", server("b1", "master", second, 20));
    }
    for (kind, expected) in [
        (R::LookupsPerSecond, 35.0),
        (R::EvictionsPerSecond, 6.0),
        (R::CommandsPerSecond, 2_000.0),
        (R::MemoryBytes, 2_000_000.0),
        (R::MemoryRatio, 0.25),
        (R::Keys, 20.0),
        (R::ConnectedClients, 9.0),
    ] {
        near_seconds(&mut run, 29.5, kind, expected);
    }
}

#[test]
fn a_failover_counts_every_key_once_and_every_lookup() {
    let mut run = Run::new(&Strategy::default());
    run.see(0.0, "a1", topology("a1+ a2- b1+"));
    for second in 0..100 {
        let before = second < 40;
        if before {
            run.see(second as f64, "a1", server("a1", "master", second, 10));
        }
        // Its counter went on from what it served before, as a replica.
        let role = if second < 45 { "slave" } else { "master" };
        run.see(second as f64, "a2", server("a2", role, second, if before { 0 } else { 10 }));
        run.see(second as f64, "b1", server("b1", "master", second, 10));
        match second {
            42 => run.see(42.1, "b1", topology("a1+? a2- b1+")),
            45 => run.see(45.1, "b1", topology("a1-! a2+ b1+")),
            _ => {}
        }
        let snapshot = run.snapshot(second as f64 + 0.5, Window::TenSeconds);
        if second > 0 {
            // At every moment two primaries, or the replica that stands in for one.
            near(&snapshot.instance[&R::Keys], 20.0);
            near(&snapshot.instance[&R::MemoryBytes], 2_000_000.0);
        }
    }
    let snapshot = run.snapshot(99.5, Window::TenSeconds);
    near(&snapshot.instance[&R::LookupsPerSecond], 20.0);
    assert_eq!(snapshot.instance[&R::LookupsPerSecond].certainty, Certainty::Exact);
    assert_eq!(snapshot.nodes.len(), 2);
}

#[test]
fn a_primary_that_has_lost_its_slots_holds_no_keys_of_its_own() {
    let mut run = Run::new(&Strategy::default());
    run.see(0.0, "a1", topology("a1+ a2- b1+"));
    for second in 0..20 {
        run.see(second as f64, "a1", server("a1", "master", second, 10));
        run.see(second as f64, "a2", server("a2", if second < 10 { "slave" } else { "master" }, second, 10));
        run.see(second as f64, "b1", server("b1", "master", second, 10));
        if second == 10 {
            // The replica has been promoted; the old primary has not become one yet, and answers with its keys.
            let Observed::Topology(mut after) = topology("a2+ b1+ a1+~") else { unreachable!("it is one") };
            // A primary without slots is a shard of its own.
            after.nodes[2].shard = 2;
            run.see(10.1, "b1", Observed::Topology(after));
        }
        let snapshot = run.snapshot(second as f64 + 0.5, Window::TenSeconds);
        if second > 0 {
            near(&snapshot.instance[&R::Keys], 20.0);
        }
    }
}

#[test]
fn a_silent_server_is_an_assumption_until_the_others_call_it_failed() {
    let mut run = Run::new(&Strategy::default());
    run.see(0.0, "a1", topology("a1+ b1+"));
    let show = |run: &mut Run, seconds: std::ops::Range<u64>| {
        let end = seconds.end as f64 - 0.5;
        for second in seconds {
            if second < 20 {
                run.see(second as f64, "a1", server("a1", "master", second, 10));
            }
            run.see(second as f64, "b1", server("b1", "master", second, 10));
        }
        run.snapshot(end, Window::TenSeconds)
    };
    let snapshot = show(&mut run, 0..29);
    let lookups = &snapshot.instance[&R::LookupsPerSecond];
    assert_eq!(lookups.certainty, Certainty::Modelled);
    says(lookups, "assumes that a1 served nobody");
    assert_eq!(snapshot.instance[&R::Keys].certainty, Certainty::Exact, "its figures are 10 s old at most");
    run.see(29.0, "b1", topology("a1+! b1+"));
    let snapshot = show(&mut run, 29..31);
    assert_eq!(snapshot.instance[&R::LookupsPerSecond].certainty, Certainty::Exact);
    says(&snapshot.instance[&R::Keys], "without a1");
    near(&snapshot.instance[&R::Keys], 10.0);
}

#[test]
fn a_server_that_joins_takes_nothing_from_the_time_of_the_others() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    let on = EventChannels { misses: Some(true), ..EventChannels::default() };
    run.see(0.0, "a1", topology("a1+"));
    run.see(0.0, "a1", Observed::EventsBegan(on));
    for second in 0..60u64 {
        if second == 50 {
            run.see(50.0, "a1", topology("a1+ b1+"));
            run.see(50.1, "b1", Observed::EventsBegan(on));
        }
        for node in ["a1", "b1"].iter().take(if second < 50 { 1 } else { 2 }) {
            let mut misses = KeyEventBatch::default();
            (0..10).for_each(|_| misses.push(KeyEventKind::Miss, 0, b"user:1"));
            run.see(second as f64 + 0.3, node, Observed::Events(misses));
        }
    }
    let snapshot = run.minute(59.9);
    let misses = of(&snapshot, "user:{id}", R::MissesPerSecond);
    let value = misses.value.expect("they are received");
    assert!((value - 700.0 / 60.0).abs() < 0.2, "{misses:?}");
}

#[test]
fn of_a_replica_only_misses_count() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.see(0.0, "a1", topology("a1+ a2-"));
    let on = EventChannels {
        misses: Some(true),
        evictions: Some(true),
        expirations: Some(true),
        deletions: Some(true),
        additions: Some(true),
    };
    for node in ["a1", "a2"] {
        run.see(0.0, node, Observed::EventsBegan(on));
    }
    let mut primary = KeyEventBatch::default();
    primary.push(KeyEventKind::Evicted, 0, b"user:1");
    run.see(1.0, "a1", Observed::Events(primary));
    let mut replica = KeyEventBatch::default();
    for kind in [KeyEventKind::Deleted, KeyEventKind::Miss] {
        replica.push(kind, 0, b"user:1");
    }
    run.see(1.1, "a2", Observed::Events(replica));
    let snapshot = run.minute(10.0);
    let causes = crate::support::row(&snapshot, "user:{id}").miss_causes;
    assert_eq!((causes.evicted, causes.total()), (1, 1), "the replica's deletion repeats the eviction");
}

#[test]
fn one_server_under_two_names_counts_once() {
    let mut run = Run::new(&Strategy::default());
    for second in 0..30 {
        run.see(second as f64, "cache:6379", server("same", "master", second, 10));
        run.see(second as f64 + 0.1, "10.0.0.1:6379", server("same", "master", second, 10));
    }
    let snapshot = run.snapshot(29.5, Window::TenSeconds);
    near(&snapshot.instance[&R::LookupsPerSecond], 10.0);
    near(&snapshot.instance[&R::Keys], 10.0);
    assert_eq!(snapshot.nodes.len(), 1);
}

fn scan(run: &mut Run, second: f64, node: &str, number: u64, keys: &[&str]) {
    let mode = ScanMode::Exact;
    let keys_expected = keys.len() as u64;
    run.see(second, node, Observed::ScanStarted(ScanStarted { scan: number, mode, keys_expected }));
    let key = |key: &&str| ScannedKey {
        key: bytes::Bytes::copy_from_slice(key.as_bytes()),
        memory: Some(100),
        ..ScannedKey::default()
    };
    let keys = keys.iter().map(key).collect();
    run.see(
        second,
        node,
        Observed::ScanChunk(ScanChunk { scan: number, database: 0, database_keys: 1, keys }),
    );
    run.see(second, node, Observed::ScanFinished(ScanFinished { scan: number, complete: true, whole: true }));
}

#[test]
fn scans_add_up_once_a_shard_and_only_when_every_shard_was_scanned() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.see(0.0, "a1", topology("a1+ a2- b1+"));
    scan(&mut run, 1.0, "a2", 1, &["user:1", "user:2"]);
    let keys = |run: &mut Run, second: f64| of(&run.minute(second), "user:{id}", R::Keys);
    says(&keys(&mut run, 1.5), "no scan yet");
    scan(&mut run, 2.0, "b1", 1, &["user:3"]);
    near(&keys(&mut run, 2.5), 3.0);
    // The replica has gone: its primary is scanned instead, and counts in its place.
    run.see(3.0, "a1", topology("a1+ a2-! b1+"));
    scan(&mut run, 4.0, "a1", 1, &["user:1", "user:2", "user:4"]);
    near(&keys(&mut run, 4.5), 4.0);
    // Another shard: its keys are not known yet, those of the others are.
    run.see(5.0, "a1", topology("a1+ b1+ c1+"));
    near(&keys(&mut run, 5.5), 4.0);
    let refused = SourceStatus {
        source: SourceId::Scan,
        health: SourceHealth::Unavailable,
        since: at(6.0),
        detail: "user ann may not run SCAN on c1".to_owned(),
        remedy: String::new(),
    };
    run.see(6.0, "c1", Observed::Status(refused));
    let known = keys(&mut run, 6.5);
    near(&known, 4.0);
    assert!(known.source.contains("without the keys of c1"), "{known:?}");
    // A shard that left took its keys along.
    run.see(7.0, "a1", topology("a1+"));
    near(&keys(&mut run, 7.5), 3.0);
}

#[test]
fn a_primary_that_is_much_fuller_than_the_others_is_found() {
    let mut run = Run::new(&Strategy::default());
    run.see(0.0, "a1", topology("a1+ b1+ c1+"));
    for (node, used) in [("a1", 3_900_000), ("b1", 1_000_000), ("c1", 1_200_000)] {
        let server =
            ServerInfo { run_id: node.to_owned(), used_memory: used, maxmemory: 4_000_000, ..info(10, 0, 0) };
        run.see(0.1, node, Observed::Info(Box::new(server)));
    }
    let snapshot = run.minute(1.0);
    near(&snapshot.instance[&R::MemoryRatio], 6.1 / 12.0);
    let found = snapshot.findings.iter().find(|finding| finding.code == "memory-imbalance");
    let summary = &found.expect("the full one stands out").summary;
    assert!(summary.contains("a1 uses 98 %") && summary.contains("28 %"), "{summary}");
}

#[test]
fn each_server_has_readings_of_its_own_and_a_rule_judges_each_for_itself() {
    let strategy = Strategy {
        rules: vec![Rule {
            name: "FullServer".to_owned(),
            subject: Subject::Nodes { reading: R::MemoryRatio },
            window: Window::TenSeconds,
            threshold: Some(Threshold { comparison: Comparison::Above, value: 0.9 }),
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
        }],
        ..Strategy::default()
    };
    let mut run = Run::new(&strategy);
    let mut evaluator = Evaluator::for_strategy(&strategy, EvaluatorOptions::default());
    let none = run.snapshot(0.0, Window::TenSeconds);
    evaluator.evaluate(at(0.0), &Inputs::new().snapshot(&none));
    assert_eq!(evaluator.statuses()[0].health, RuleHealth::NoData);
    run.see(0.0, "a1", topology("a1+ a2- b1+"));
    for second in 0..30 {
        for (name, role, per_second, memory) in
            [("a1", "master", 10, 1_000_000), ("a2", "slave", 5, 1_000_000), ("b1", "master", 20, 3_900_000)]
        {
            let Observed::Info(mut told) = server(name, role, second, per_second) else {
                unreachable!("it is one")
            };
            told.used_memory = memory;
            run.see(second as f64, name, Observed::Info(told));
        }
    }
    let snapshot = run.snapshot(29.5, Window::TenSeconds);
    let names = snapshot.by_node.iter().map(|part| part.name.as_str());
    assert!(names.eq(snapshot.nodes.iter().map(|node| node.node.as_str())), "in the same order");
    let of = |name: &str, kind: R| {
        snapshot.by_node.iter().find(|part| part.name == name).expect(name).readings[&kind].clone()
    };
    for (name, lookups, evicted, memory) in
        [("a1", 10.0, 3.0, 0.25), ("a2", 5.0, 0.0, 0.25), ("b1", 20.0, 3.0, 0.975)]
    {
        near(&of(name, R::LookupsPerSecond), lookups);
        near(&of(name, R::HitRate), 1.0);
        near(&of(name, R::EvictionsPerSecond), evicted);
        near(&of(name, R::MemoryRatio), memory);
        near(&of(name, R::Keys), 10.0);
    }
    evaluator.evaluate(at(29.5), &Inputs::new().snapshot(&snapshot));
    let firing: Vec<_> = evaluator.alerts().map(|(_, alert)| alert.labels["node"].as_str()).collect();
    assert_eq!(firing, ["b1"]);
    let (rule, alert) = evaluator.alerts().next().expect("one fires");
    let question = Question { rule, alert, now: at(29.5), marks: &[] };
    let said = run.engine.triage(&question, &mut Compared::new()).sentence;
    assert!(said.starts_with("Server b1: memory"), "{said}");
}
