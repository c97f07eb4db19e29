//! Execution times from the server's histograms, modelled ones by namespace, and our own round trips.

use cachescope_engine::HistoryQuery;
use cachescope_model::observation::Observed;
use cachescope_model::reading::{Certainty, Readings};
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::sample::{CommandBurst, CommandLatency, KeyUse, ProbedKey};
use cachescope_model::server::CommandStat;
use cachescope_model::strategy::Strategy;
use cachescope_model::window::Window;

use crate::support::{Run, at, info, near, of, says, strategy};

const NODE: &str = "redis:6379";

/// Calls up to each bound, in microseconds.
fn latency(command: &str, buckets: &[(u64, u64)]) -> CommandLatency {
    let calls = buckets.last().map_or(0, |(_, calls)| *calls);
    CommandLatency { command: command.into(), calls, own: 0, buckets: buckets.to_vec() }
}

fn burst(reads: &[(&str, &str, usize)]) -> CommandBurst {
    let mut burst = CommandBurst { length_micros: 10_000, ..CommandBurst::default() };
    for (command, key, times) in reads {
        let place = burst.names.iter().position(|name| **name == **command).unwrap_or_else(|| {
            burst.names.push((*command).into());
            burst.names.len() - 1
        });
        for _ in 0..*times {
            burst.keys.push(KeyUse::Lookup, 0, place as u16, key.as_bytes());
            burst.commands += 1;
        }
    }
    burst
}

/// Ten seconds in which 900 GETs took up to 1 µs, 100 up to 8 µs, and 10 LRANGEs up to 264 µs.
fn ten_seconds(run: &mut Run) {
    for second in 0..=10u64 {
        let mut server = info(1_000 + second, 100 * second, 0);
        let stat = |command: &str, calls: u64, microseconds: u64| CommandStat {
            command: command.to_owned(),
            calls,
            microseconds,
        };
        server.commands = vec![stat("get", 100 * second, 200 * second), stat("lrange", second, 250 * second)];
        run.info(second as f64, server);
        if second % 5 == 0 {
            let latencies = vec![
                latency("get", &[(1, 90 * second), (8, 100 * second)]),
                latency("lrange", &[(264, second)]),
            ];
            run.see(second as f64, NODE, Observed::CommandLatencies(latencies));
        }
    }
}

#[test]
fn instance_quantiles_are_those_of_the_servers_buckets_with_their_bounds() {
    let mut run = Run::new(&Strategy::default());
    ten_seconds(&mut run);
    let snapshot = run.minute(10.5);
    let p50 = &snapshot.instance[&R::ExecutionP50Seconds];
    assert_eq!((p50.certainty, p50.low, p50.high), (Certainty::Estimated, Some(0.0), Some(1.024e-6)));
    // Rank 505 of 900 in the first bucket, which is interpolated evenly.
    near(p50, 505.0 / 900.0 * 1.024e-6);
    let p99 = &snapshot.instance[&R::ExecutionP99Seconds];
    assert_eq!((p99.low, p99.high), (Some(4.096e-6), Some(8.192e-6)));
    near(p99, 4.096e-6 * 2f64.powf((0.99 * 1010.0 - 900.0) / 100.0));
    assert!((p99.window_seconds - 10.0).abs() < 0.1, "{p99:?}");
    let query = HistoryQuery {
        namespace: None,
        kind: R::ExecutionP99Seconds,
        from: at(0.0),
        to: at(10.0),
        points: 1,
    };
    let point = run.engine.history(&query)[0];
    assert!(point.value.is_some_and(|value| (4.096e-6..=8.192e-6).contains(&value)), "{point:?}");
}

#[test]
fn missing_histograms_say_why() {
    let mut run = Run::new(&Strategy::default());
    run.info(0.0, info(1_000, 0, 0));
    says(&run.minute(0.5).instance[&R::ExecutionP99Seconds], "being read");
    run.see(1.0, NODE, Observed::NoCommandLatencies("ACL SETUSER ann +latency|histogram".to_owned()));
    says(&run.minute(1.5).instance[&R::ExecutionP99Seconds], "+latency|histogram");
    run.see(2.0, NODE, Observed::CommandLatencies(Vec::new()));
    says(&run.minute(2.5).instance[&R::ExecutionP99Seconds], "second answer");
    run.see(7.0, NODE, Observed::CommandLatencies(Vec::new()));
    says(&run.minute(7.5).instance[&R::ExecutionP99Seconds], "no read command");
}

#[test]
fn a_restart_between_two_histograms_is_a_gap() {
    let mut run = Run::new(&Strategy::default());
    ten_seconds(&mut run);
    let mut after = info(1, 5, 0);
    after.run_id = "b".to_owned();
    run.info(11.0, after.clone());
    // More calls than before the restart, so that the counts alone don't give it away.
    run.see(11.0, NODE, Observed::CommandLatencies(vec![latency("get", &[(1, 90_000), (8, 90_900)])]));
    after.uptime_seconds = 6;
    run.info(16.0, after);
    run.see(16.0, NODE, Observed::CommandLatencies(vec![latency("get", &[(1, 90_000), (8, 90_900)])]));
    let p50 = run.minute(16.5).instance[&R::ExecutionP50Seconds].clone();
    near(&p50, 505.0 / 900.0 * 1.024e-6);
}

#[test]
fn a_namespace_is_modelled_by_its_commands_and_says_what_that_assumes() {
    let mut run =
        Run::new(&strategy(&[("session:{id}", "sessions"), ("feed:{id}", "feeds"), ("rare:{id}", "rare")]));
    ten_seconds(&mut run);
    let reads =
        [("get", "session:1", 300), ("lrange", "feed:1", 40), ("exists", "feed:1", 40), ("get", "rare:1", 3)];
    run.see(10.2, NODE, Observed::Commands(burst(&reads)));
    let snapshot = run.minute(10.5);
    let sessions = of(&snapshot, "session:{id}", R::ExecutionP50Seconds);
    assert_eq!(sessions.certainty, Certainty::Modelled);
    says(&sessions, "its GETs take as long as those of all keys");
    near(&sessions, 500.0 / 900.0 * 1.024e-6);
    near(&of(&snapshot, "session:{id}", R::ExecutionMeanSeconds), 2e-6);
    let feeds = of(&snapshot, "feed:{id}", R::ExecutionP50Seconds);
    near(&feeds, 131.072e-6 * 2f64.sqrt());
    says(&feeds, "from 40 sampled reads");
    near(&of(&snapshot, "feed:{id}", R::ExecutionMeanSeconds), 250e-6);
    says(&of(&snapshot, "rare:{id}", R::ExecutionP99Seconds), "only 3 of its reads");
}

#[test]
fn our_own_round_trips_stand_where_no_application_tells_latency() {
    let mut run = Run::new(&strategy(&[("user:{id}", "users")]));
    let probe = |seconds: f64, hit: bool| ProbedKey {
        database: 0,
        key: bytes::Bytes::from_static(b"user:1"),
        seconds,
        hit,
        with_value: true,
    };
    run.see(0.0, NODE, Observed::Commands(burst(&[("get", "user:1", 1)])));
    assert_eq!(run.engine.probe_candidates(10).len(), 1);
    run.see(1.0, NODE, Observed::Probes(vec![probe(0.001, true); 5]));
    let few = run.minute(1.2);
    says(&of(&few, "user:{id}", R::LatencyP50Seconds), "made 5 round trips in this window, this needs 6");
    run.see(
        2.0,
        NODE,
        Observed::Probes((0..195).map(|n| probe(0.001 + f64::from(n) * 1e-5, true)).collect()),
    );
    let snapshot = run.minute(2.5);
    let of_row: Readings = snapshot.namespaces[0].readings.iter().collect();
    for latencies in [&snapshot.instance, &of_row] {
        let p50 = &latencies[&R::LatencyP50Seconds];
        assert_eq!((p50.certainty, &*p50.source), (Certainty::Estimated, "our own probe"));
        says(p50, "200 round trips of our own, from this machine");
        assert!((p50.window_seconds - 1.5).abs() < 0.01, "since the first of them: {p50:?}");
        let (low, value, high) = (p50.low.expect("low"), p50.value.expect("value"), p50.high.expect("high"));
        assert!(low <= 0.00195 && 0.00195 <= high && (value - 0.00195).abs() < 0.0002, "{p50:?}");
        near(&latencies[&R::LatencyMeanSeconds], (0.005 + 195.0 * 0.001 + 195.0 * 97.0 * 1e-5) / 200.0);
        let p99 = &latencies[&R::LatencyP99Seconds];
        assert!(p99.value.is_some() && p99.high.is_none(), "200 round trips tell no upper end: {p99:?}");
        says(p99, "too few to tell how much higher");
    }
    run.see(3.0, NODE, Observed::Probes(vec![probe(0.0, false)]));
    assert!(run.engine.probe_candidates(10).is_empty(), "a key that is gone is no candidate");
    let late = run.snapshot(30.0, Window::TenSeconds);
    says(&of(&late, "user:{id}", R::LatencyP50Seconds), "switch on the source probe");
}

#[test]
fn candidates_are_few_of_each_namespace_bounded_and_take_turns() {
    let templates: Vec<_> = (0..30).map(|n| (format!("n{n}:{{id}}"), format!("n{n}"))).collect();
    let pairs: Vec<_> =
        templates.iter().map(|(template, label)| (template.as_str(), label.as_str())).collect();
    let mut run = Run::new(&strategy(&pairs));
    for key in 0..10 {
        let keys: Vec<_> = (0..30).map(|n| format!("n{n}:{key}")).collect();
        let reads: Vec<_> = keys.iter().map(|key| ("get", key.as_str(), 1)).collect();
        run.see(1.0, NODE, Observed::Commands(burst(&reads)));
    }
    let all = run.engine.probe_candidates(200);
    assert_eq!(all.len(), 90, "three of each");
    let mut seen = std::collections::BTreeSet::new();
    for turn in 0..20 {
        let _snapshot = run.minute(2.0 + 30.0 * f64::from(turn));
        let some = run.engine.probe_candidates(12);
        assert_eq!(some.len(), 12);
        seen.extend(some.into_iter().map(|candidate| candidate.key));
    }
    assert_eq!(seen.len(), 90, "in the end each has its turn");
}
