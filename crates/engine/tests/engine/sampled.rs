//! Hit rates without the application's metrics: exact misses and a sample of the commands.

use cachescope_engine::HistoryQuery;
use cachescope_model::events::KeyEventKind::{Evicted, Miss};
use cachescope_model::observation::{EventChannels, Observed};
use cachescope_model::reading::{Certainty, Reading};
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::sample::{CommandBurst, KeyUse, SampledKeys};
use cachescope_model::server::ServerInfo;

use crate::support::{Run, at, info, near, of, row, says, strategy};

/// 70 lookups of users a second of which 10 miss, 30 of organizations of which 20 miss; a tenth is sampled, in
/// five bursts.
struct Minute {
    misses_told: bool,
    events: bool,
    seconds: u64,
    /// Of a hundred lookups, how many the table of commands leaves out.
    left_out: usize,
}

impl Default for Minute {
    fn default() -> Self {
        Self { misses_told: true, events: true, seconds: 70, left_out: 0 }
    }
}

impl Minute {
    fn lookups() -> Vec<(&'static str, bool)> {
        let user = (0..70).map(|number| ("user:1", number % 7 != 0));
        let org = (0..30).map(|number| ("org:1", number % 3 == 0));
        let all: Vec<_> = user.chain(org).collect();
        // A fixed order in which every burst has another mix.
        (0..100).map(|place| all[place * 37 % 100]).collect()
    }

    fn play(&self) -> Run {
        let mut run = Run::new(&strategy(&[("user:{id}", "user"), ("org:{id}", "org")]));
        if self.events {
            run.began(-1.0);
        }
        let lookups = Self::lookups();
        for second in 0..self.seconds {
            let when = second as f64;
            let mut server = info(100 + second, 700 * second, 300 * second);
            server.evicted_keys = if self.events { 2 * second } else { 0 };
            run.info(when, server);
            for burst in 0..5 {
                let begin = (second as usize * 5 + burst) * 20 % 100;
                let seen = &lookups[begin..begin + 20 - self.left_out / 5];
                run.burst(when + 0.1 + burst as f64 * 0.15, 20, self.misses_told, seen);
            }
            if self.events {
                let misses = |key, count| std::iter::repeat_n((Miss, key), count);
                let events: Vec<_> = misses("user:1", 100).chain(misses("org:1", 200)).collect();
                run.events(when + 0.5, &events);
                run.events(when + 0.6, &[(Evicted, "org:7"), (Evicted, "org:8")]);
            }
        }
        run
    }
}

#[track_caller]
fn within(reading: &Reading, truth: f64, half: f64) {
    assert_eq!(reading.certainty, Certainty::Estimated, "{reading:?}");
    let (value, low, high) = (reading.value, reading.low, reading.high);
    let (value, low, high) = (value.expect("a value"), low.expect("a low end"), high.expect("a high end"));
    assert!(low <= truth && truth <= high, "{truth} is outside: {reading:?}");
    assert!(low <= value && value <= high && high - low <= 2.0 * half, "{reading:?}");
}

#[test]
fn hit_rate_and_lookups_follow_from_exact_misses_and_a_sample() {
    let mut run = Minute::default().play();
    let snapshot = run.minute(69.5);
    // 700 and 300 lookups a second, of which 100 and 200 miss.
    within(&of(&snapshot, "user:{id}", R::HitRate), 600.0 / 700.0, 0.01);
    within(&of(&snapshot, "org:{id}", R::HitRate), 100.0 / 300.0, 0.04);
    within(&of(&snapshot, "user:{id}", R::LookupsPerSecond), 700.0, 25.0);
    within(&of(&snapshot, "org:{id}", R::LookupsPerSecond), 300.0, 25.0);
    within(&of(&snapshot, "org:{id}", R::EvictionRatio), 2.0 / 300.0, 0.001);
    let misses = of(&snapshot, "org:{id}", R::MissesPerSecond);
    assert_eq!(misses.certainty, Certainty::Exact);
    assert!(misses.value.is_some_and(|value| (value - 200.0).abs() < 2.0), "{misses:?}");
    let rate = of(&snapshot, "user:{id}", R::HitRate);
    assert!(rate.source.starts_with("keyspace events and a sample of 6,"), "{rate:?}");
    assert!((rate.window_seconds - 60.0).abs() < 1.1, "{rate:?}");
    near(&snapshot.instance[&R::HitRate], 0.7);
    assert_eq!(snapshot.instance[&R::HitRate].certainty, Certainty::Exact);
    let total = snapshot.control_totals.iter().find(|total| total.what == "sample").expect("compared");
    assert_eq!(total.loss_ratio, Some(0.0), "{total:?}");
    let disagree = snapshot.findings.iter().filter(|finding| finding.code == "counters-disagree");
    assert_eq!(disagree.count(), 0, "{:?}", snapshot.findings);
    says(&of(&snapshot, "", R::HitRate), "none of its lookups was sampled");
}

#[test]
fn bursts_that_do_not_tell_misses_give_a_wider_interval() {
    let told = Minute::default().play().minute(69.5);
    let untold = Minute { misses_told: false, ..Minute::default() }.play().minute(69.5);
    let width = |reading: &Reading| reading.high.expect("high") - reading.low.expect("low");
    for (namespace, truth) in [("user:{id}", 600.0 / 700.0), ("org:{id}", 1.0 / 3.0)] {
        within(&of(&untold, namespace, R::HitRate), truth, 0.05);
        let (one, other) = (of(&told, namespace, R::HitRate), of(&untold, namespace, R::HitRate));
        assert!(width(&one) < width(&other), "{namespace}: {one:?} {other:?}");
    }
}

#[test]
fn bursts_that_tell_misses_do_without_events() {
    let snapshot = Minute { events: false, ..Minute::default() }.play().minute(69.5);
    within(&of(&snapshot, "user:{id}", R::HitRate), 600.0 / 700.0, 0.02);
    within(&of(&snapshot, "org:{id}", R::MissesPerSecond), 200.0, 20.0);
}

#[test]
fn without_any_news_of_misses_there_are_lookups_and_no_hit_rate() {
    let mut run = Minute { events: false, misses_told: false, ..Minute::default() }.play();
    let snapshot = run.minute(69.5);
    within(&of(&snapshot, "user:{id}", R::LookupsPerSecond), 700.0, 40.0);
    says(&of(&snapshot, "user:{id}", R::HitRate), "keyspace events");
}

#[test]
fn without_a_sample_the_reason_names_both_remedies() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.began(0.0);
    run.info(0.0, info(100, 0, 0));
    run.info(1.0, info(101, 70, 30));
    let snapshot = run.minute(1.5);
    for words in ["application's own metrics", "switch on the source commands"] {
        says(&of(&snapshot, "user:{id}", R::HitRate), words);
    }
}

#[test]
fn a_sample_that_explains_too_little_says_so_and_widens() {
    let whole = Minute::default().play().minute(69.5);
    let part = Minute { left_out: 20, ..Minute::default() }.play().minute(69.5);
    let total = part.control_totals.iter().find(|total| total.what == "sample").expect("compared");
    assert!((total.loss_ratio.expect("traffic") - 0.2).abs() < 0.01, "{total:?}");
    assert!(
        part.findings.iter().any(|finding| finding.summary.contains("explain 80 %")),
        "{:?}",
        part.findings
    );
    let width = |snapshot| {
        let reading: Reading = of(snapshot, "org:{id}", R::HitRate);
        reading.high.expect("high") - reading.low.expect("low")
    };
    assert!(width(&part) > 2.0 * width(&whole));
    says(&of(&part, "org:{id}", R::HitRate), "can't be attributed");
}

#[test]
fn commands_that_can_not_be_read_make_shares_unavailable() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.began(-1.0);
    for second in 0..10u64 {
        run.info(second as f64, info(100 + second, 700 * second, 0));
        for part in [0.2, 0.4, 0.6] {
            let mut keys = SampledKeys::default();
            (0..50).for_each(|_| keys.push(KeyUse::Lookup, 0, 0, b"user:1"));
            let burst = CommandBurst {
                length_micros: 70_000,
                commands: 100,
                unread: 50,
                misses_told: true,
                names: vec!["get".into()],
                keys,
            };
            run.see(second as f64 + part, "redis:6379", Observed::Commands(burst));
        }
    }
    let snapshot = run.minute(9.5);
    says(&of(&snapshot, "user:{id}", R::HitRate), "50 % of the sampled commands can't be told");
}

#[test]
fn the_whole_traffic_sampled_leaves_hardly_any_doubt() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user"), ("org:{id}", "org")]));
    run.began(-1.0);
    let lookups = Minute::lookups();
    for second in 0..70u64 {
        run.info(second as f64, info(100 + second, 70 * second, 30 * second));
        for burst in 0..5 {
            run.burst(
                second as f64 + 0.1 + burst as f64 * 0.15,
                200,
                true,
                &lookups[burst * 20..burst * 20 + 20],
            );
        }
        let missed: Vec<_> = lookups.iter().filter(|(_, hit)| !hit).map(|(key, _)| (Miss, *key)).collect();
        run.events(second as f64 + 0.9, &missed);
    }
    let snapshot = run.minute(69.5);
    within(&of(&snapshot, "user:{id}", R::HitRate), 60.0 / 70.0, 0.003);
    within(&of(&snapshot, "org:{id}", R::HitRate), 1.0 / 3.0, 0.006);
}

#[test]
fn lost_events_widen_the_hit_rate_downwards() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.began(-1.0);
    for second in 0..60u64 {
        run.info(second as f64, info(100 + second, 80 * second, 20 * second));
        for burst in 0..5 {
            let lookups: Vec<_> = (0..10).map(|number| ("user:1", number % 5 != 0)).collect();
            run.burst(second as f64 + 0.1 + f64::from(burst) * 0.15, 100, false, &lookups);
        }
        // One in four never arrives.
        let missed: Vec<_> = (0..15).map(|_| (Miss, "user:1")).collect();
        run.events(second as f64 + 0.9, &missed);
    }
    let snapshot = run.minute(59.8);
    let rate = of(&snapshot, "user:{id}", R::HitRate);
    assert!(rate.low.expect("low") <= 0.805 && rate.high.expect("high") >= 0.8, "{rate:?}");
    says(&rate, "not announced");
}

#[test]
fn a_restart_begins_anew_and_a_stopped_sample_says_how_much_is_missing() {
    let mut run = Minute { seconds: 30, ..Minute::default() }.play();
    let mut after = info(1, 0, 0);
    after.run_id = "b".to_owned();
    run.info(30.0, after.clone());
    for second in 31..90u64 {
        after.uptime_seconds = second;
        run.info(second as f64, after.clone());
    }
    let snapshot = run.minute(80.0);
    let rate = of(&snapshot, "user:{id}", R::HitRate);
    assert!(rate.value.is_some_and(|value| (value - 6.0 / 7.0).abs() < 0.02), "{rate:?}");
}

#[test]
fn our_own_misses_are_no_misses_of_the_sample() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.began(-1.0);
    for second in 0..20u64 {
        run.info(second as f64, info(100 + second, 60 * second, 0));
        for part in [0.2, 0.5] {
            let mut keys = SampledKeys::default();
            keys.push(KeyUse::Miss, 0, 0, b"user:2");
            (0..30).for_each(|_| keys.push(KeyUse::Lookup, 0, 0, b"user:1"));
            let burst = CommandBurst {
                length_micros: 500_000,
                commands: 30,
                misses_told: true,
                names: vec!["get".into()],
                keys,
                ..CommandBurst::default()
            };
            run.see(second as f64 + part, "redis:6379", Observed::Commands(burst));
        }
    }
    let snapshot = run.minute(19.5);
    near(&of(&snapshot, "user:{id}", R::HitRate), 1.0);
}

#[test]
fn nodes_that_are_not_sampled_widen() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    let on = EventChannels { misses: Some(true), ..EventChannels::default() };
    for node in ["a", "b"] {
        run.see(-1.0, node, Observed::EventsBegan(on));
    }
    for second in 0..30u64 {
        run.see(second as f64, "a", Observed::Info(Box::new(info(100 + second, 900 * second, 0))));
        let other = ServerInfo { run_id: "b".to_owned(), ..info(100 + second, 100 * second, 0) };
        run.see(second as f64, "b", Observed::Info(Box::new(other)));
        for part in [0.2, 0.5] {
            let mut keys = SampledKeys::default();
            (0..90).for_each(|_| keys.push(KeyUse::Lookup, 0, 0, b"user:1"));
            let names = vec!["get".into()];
            let burst = CommandBurst {
                length_micros: 100_000,
                commands: 90,
                unread: 0,
                misses_told: true,
                names,
                keys,
            };
            run.see(second as f64 + part, "a", Observed::Commands(burst));
        }
    }
    let snapshot = run.minute(29.5);
    let lookups = of(&snapshot, "user:{id}", R::LookupsPerSecond);
    assert!((lookups.value.expect("a value") - 1000.0).abs() < 60.0, "{lookups:?}");
    says(&lookups, "10 % of the lookups are on nodes that are not sampled");
    assert!(of(&snapshot, "user:{id}", R::HitRate).low.expect("low") <= 0.91);
    assert_eq!(row(&snapshot, "user:{id}").miss_causes.total(), 0);
}

#[test]
fn history_has_the_same_estimates_with_their_intervals() {
    let run = Minute::default().play();
    for (kind, truth, half) in [(R::HitRate, 600.0 / 700.0, 0.03), (R::LookupsPerSecond, 700.0, 70.0)] {
        let query = HistoryQuery {
            namespace: Some("user:{id}".to_owned()),
            kind,
            from: at(5.0),
            to: at(65.0),
            points: 6,
        };
        let points = run.engine.history(&query);
        assert_eq!(points.len(), 6);
        for point in points {
            let value = point.value.expect("sampled throughout");
            let (low, high) = (point.low.expect("low"), point.high.expect("high"));
            assert!(low <= truth && truth <= high && high - low < 2.0 * half, "{kind:?} {point:?}");
            assert!(low <= value && value <= high, "{kind:?} {point:?}");
        }
    }
}
