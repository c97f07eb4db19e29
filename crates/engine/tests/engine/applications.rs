use cachescope_engine::rules::{Evaluator, EvaluatorOptions, Inputs};
use cachescope_engine::triage::{Compared, Question};
use cachescope_model::alert::{AlertLabels, RuleHealth};
use cachescope_model::reading::{Certainty, Readings};
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::strategy::{
    CacheLayer, Comparison, LayerKind, MetricNames, Rule, Severity, Strategy, Subject, Threshold,
};
use cachescope_model::window::Window;

use crate::support::{Run, at, info, near, of, sample, says, strategy};

fn run() -> Run {
    Run::new(&strategy(&[("user:{id}", "user"), ("org:{id}", "org")]))
}

/// A page of an application that made `lookups` lookups a second of users since `0`, 80 % of them hits.
fn lines(seconds: u64) -> Vec<String> {
    vec![
        format!("cache_hits_total{{layer=redis,type=user}} {}", 1_000 + 80 * seconds),
        format!("cache_misses_total{{layer=redis,type=user}} {}", 500 + 20 * seconds),
        format!("cache_hits_total{{layer=memory,type=user}} {}", 9_000 * seconds),
        format!("cache_hits_total{{layer=redis,type=basket}} {}", 10 * seconds),
        format!("cache_misses_total{{layer=redis,type=basket}} {}", 30 * seconds),
    ]
}

fn page(run: &mut Run, seconds: u64) {
    let lines = lines(seconds);
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    run.page(seconds as f64, &lines);
}

#[test]
fn hit_rates_come_from_the_applications_counters_by_label() {
    for interval in [5, 10, 15] {
        let mut run = run();
        for seconds in (0..=120).step_by(interval) {
            page(&mut run, seconds);
            run.info(seconds as f64 + 0.01, info(100 + seconds, 90 * seconds, 50 * seconds));
        }
        // Whenever one looks between two samples, the rate is the same.
        for after in [120.1, 122.7, 124.9] {
            let snapshot = run.minute(after);
            let rate = of(&snapshot, "user:{id}", R::HitRate);
            near(&rate, 0.8);
            assert_eq!((rate.certainty, rate.source.as_ref()), (Certainty::Exact, "application counters"));
            assert!((60.0..61.1).contains(&rate.window_seconds), "{rate:?}");
            near(&of(&snapshot, "user:{id}", R::LookupsPerSecond), 100.0);
            near(&of(&snapshot, "user:{id}", R::MissesPerSecond), 20.0);
            near(&of(&snapshot, "basket", R::HitRate), 0.25);
            says(&of(&snapshot, "org:{id}", R::HitRate), "no series labelled \"org\"");
        }
        let snapshot = run.minute(121.0);
        let lookups = snapshot
            .control_totals
            .iter()
            .find(|total| total.what == "application lookups")
            .expect("both run");
        assert_eq!(lookups.loss_ratio, Some(0.0), "{lookups:?}");
        near(&of(&run.snapshot(121.0, Window::TenSeconds), "user:{id}", R::HitRate), 0.8);
    }
}

#[test]
fn every_documented_dialect_gives_a_hit_rate() {
    for (hits, misses) in [
        ("cache_hits_total{layer=redis,type=user}", "cache_misses_total{layer=redis,type=user}"),
        (
            "cache_hits_total{cache_layer=redis,entity_type=user}",
            "cache_misses_total{cache_layer=redis,entity_type=user}",
        ),
        ("cache_hit_count{hotspot=user}", "cache_miss_count{hotspot=user}"),
        ("cache_hit_count_total{hotspot=user}", "cache_miss_count_total{hotspot=user}"),
        ("cache_hit_count{cache=user}", "cache_miss_count{cache=user}"),
    ] {
        let mut run = run();
        for seconds in 0..4 {
            let lines = [format!("{hits} {}", 30 * seconds), format!("{misses} {}", 10 * seconds)];
            run.page(f64::from(seconds) * 5.0, &[&lines[0], &lines[1]]);
        }
        near(&of(&run.minute(16.0), "user:{id}", R::HitRate), 0.75);
    }
}

#[test]
fn no_traffic_is_no_data() {
    let mut run = run();
    for seconds in (0..60).step_by(5) {
        run.page(seconds as f64, &["cache_hits_total{type=user} 5", "cache_misses_total{type=user} 5"]);
    }
    let snapshot = run.minute(56.0);
    says(&of(&snapshot, "user:{id}", R::HitRate), "no traffic");
    near(&of(&snapshot, "user:{id}", R::LookupsPerSecond), 0.0);
}

#[test]
fn a_restart_counts_from_0_and_is_said() {
    let mut run = run();
    for (seconds, hits, misses) in
        [(0, 1_000, 500), (5, 1_040, 510), (10, 1_080, 520), (15, 8, 2), (20, 48, 12), (25, 88, 22)]
    {
        let lines = [
            format!("cache_hits_total{{type=user}} {hits}"),
            format!("cache_misses_total{{type=user}} {misses}"),
        ];
        run.page(f64::from(seconds), &[&lines[0], &lines[1]]);
    }
    let rate = of(&run.minute(25.2), "user:{id}", R::HitRate);
    near(&rate, 168.0 / 210.0);
    assert_eq!(rate.certainty, Certainty::Estimated);
    assert!(rate.low.expect("low") < 0.8 && rate.high.expect("high") > 0.8, "{rate:?}");
    says(&rate, "began anew");
}

#[test]
fn a_label_that_an_application_has_not_counted_since_its_restart_has_no_traffic() {
    let mut run = run();
    for seconds in (0..200).step_by(5) {
        let org = "cache_hits_total{type=org} 7";
        let user = format!("cache_hits_total{{type=user}} {}", 2 * seconds);
        let lines = [user.as_str(), org];
        run.page(f64::from(seconds), if seconds < 20 { &lines } else { &lines[..1] });
    }
    let snapshot = run.minute(196.0);
    says(&of(&snapshot, "org:{id}", R::HitRate), "no traffic");
    near(&of(&snapshot, "org:{id}", R::LookupsPerSecond), 0.0);
    near(&of(&snapshot, "user:{id}", R::HitRate), 1.0);
}

#[test]
fn several_processes_behind_one_prometheus_are_not_taken_for_one_fast_one() {
    let mut run = run();
    let samples_at = |run: &mut Run, now: f64| {
        // Two processes, scraped every 15 s, two seconds apart; asked for every five seconds.
        let mut samples = Vec::new();
        for (instance, offset) in [("a", 0.0), ("b", 2.0)] {
            let scraped = ((now - offset) / 15.0).floor() * 15.0 + offset;
            if scraped >= 0.0 {
                let line =
                    format!("cache_hits_total{{instance={instance},job=j,type=user}} {}", 10.0 * scraped);
                samples.push(sample(&line, scraped));
            }
        }
        run.metrics(now, "http://prometheus", samples);
    };
    for step in 0..40 {
        let now = 5.0 * f64::from(step) + 3.0;
        samples_at(&mut run, now);
        if step > 20 {
            near(&of(&run.minute(now + 4.9), "user:{id}", R::HitRate), 1.0);
            let lookups = of(&run.minute(now + 4.9), "user:{id}", R::LookupsPerSecond).value.expect("known");
            assert!((lookups - 20.0).abs() < 1.0, "{lookups} at {now}");
        }
    }
}

#[test]
fn repeated_late_and_senseless_samples_change_nothing() {
    let mut run = run();
    let endpoint = "http://app/metrics";
    for (now, sampled, line) in [
        (0.0, 0.0, "cache_hits_total{type=user} 100"),
        (5.0, 5.0, "cache_hits_total{type=user} 200"),
        (5.1, 5.0, "cache_hits_total{type=user} 200"),
        (6.0, 3.0, "cache_hits_total{type=user} 150"),
        (7.0, 7.0, "cache_hits_total{type=user} NaN"),
        (8.0, 8.0, "cache_hits_total{type=user} inf"),
        (10.0, 10.0, "cache_hits_total{type=user} 300"),
    ] {
        run.metrics(now, endpoint, vec![sample(line, sampled)]);
    }
    let snapshot = run.minute(10.0);
    near(&of(&snapshot, "user:{id}", R::LookupsPerSecond), 20.0);
    near(&of(&snapshot, "user:{id}", R::HitRate), 1.0);
}

#[test]
fn a_label_first_seen_in_a_later_scrape_began_at_0() {
    let mut run = run();
    run.page(0.0, &["cache_hits_total{type=user} 5"]);
    run.page(
        5.0,
        &["cache_hits_total{type=user} 5", "cache_hits_total{type=org} 3", "cache_misses_total{type=org} 1"],
    );
    run.page(
        10.0,
        &["cache_hits_total{type=user} 5", "cache_hits_total{type=org} 3", "cache_misses_total{type=org} 1"],
    );
    let snapshot = run.minute(10.1);
    near(&of(&snapshot, "org:{id}", R::HitRate), 0.75);
    near(&of(&snapshot, "org:{id}", R::LookupsPerSecond), 0.4);
}

#[test]
fn a_page_and_a_prometheus_of_one_application_are_never_added() {
    let mut run = run();
    let scraped = |lines: &[String], seconds: f64| {
        lines.iter().map(|line| sample(&line.replace('{', "{instance=a,job=b,"), seconds)).collect::<Vec<_>>()
    };
    for seconds in (0..=120).step_by(5) {
        page(&mut run, seconds);
        let last_scrape = seconds / 15 * 15;
        run.metrics(
            seconds as f64 + 0.2,
            "http://prometheus",
            scraped(&lines(last_scrape), last_scrape as f64),
        );
    }
    near(&of(&run.minute(121.0), "user:{id}", R::LookupsPerSecond), 100.0);
    // The page stops answering: after three intervals Prometheus takes over, without a second count.
    for seconds in (125..=300).step_by(5) {
        let last_scrape = seconds / 15 * 15;
        run.metrics(
            seconds as f64 + 0.2,
            "http://prometheus",
            scraped(&lines(last_scrape), last_scrape as f64),
        );
    }
    let later = run.snapshot(301.0, Window::FiveMinutes);
    near(&of(&later, "user:{id}", R::HitRate), 0.8);
    let lookups = of(&later, "user:{id}", R::LookupsPerSecond).value.expect("Prometheus goes on");
    assert!((lookups - 100.0).abs() < 7.0, "{lookups}");
    near(&of(&run.minute(301.0), "user:{id}", R::LookupsPerSecond), 100.0);
    // And when that stops too, there is nothing current.
    says(&of(&run.minute(500.0), "user:{id}", R::HitRate), "nothing new for");
}

#[test]
fn a_prometheus_brings_its_past_and_its_instances_add_up() {
    let mut run = run();
    let mut samples = Vec::new();
    for instance in ["a", "b"] {
        for seconds in (-600i32..=0).step_by(15) {
            let hits = 60_000 + 9 * seconds;
            let misses = 60_000 + seconds;
            samples.push(sample(
                &format!("cache_hits_total{{instance={instance},job=j,type=user}} {hits}"),
                seconds.into(),
            ));
            samples.push(sample(
                &format!("cache_misses_total{{instance={instance},job=j,type=user}} {misses}"),
                seconds.into(),
            ));
        }
    }
    run.metrics(0.5, "http://prometheus", samples);
    for window in [Window::OneMinute, Window::FiveMinutes] {
        let snapshot = run.snapshot(1.0, window);
        near(&of(&snapshot, "user:{id}", R::HitRate), 0.9);
        near(&of(&snapshot, "user:{id}", R::LookupsPerSecond), 20.0);
    }
}

#[test]
fn a_prometheus_whose_clock_is_ahead_is_read_all_the_same() {
    let mut run = run();
    for seconds in (0..=60).step_by(5) {
        let lines = lines(seconds);
        let ahead = seconds as f64 + 3_600.0;
        run.metrics(seconds as f64, "http://p", lines.iter().map(|line| sample(line, ahead)).collect());
    }
    near(&of(&run.minute(61.0), "user:{id}", R::LookupsPerSecond), 100.0);
}

#[test]
fn one_label_for_several_namespaces_is_said_to_be_shared() {
    let mut documented = strategy(&[("org:{id}", "org"), ("org:{id}:list", "list")]);
    for namespace in &mut documented.namespaces {
        namespace.metric_labels = vec!["org".to_owned()];
    }
    let mut run = Run::new(&documented);
    for seconds in 0..4 {
        let line = format!("cache_hits_total{{type=org}} {}", 10 * seconds);
        run.page(f64::from(seconds) * 5.0, &[&line]);
    }
    let snapshot = run.minute(16.0);
    for template in ["org:{id}", "org:{id}:list"] {
        let rate = of(&snapshot, template, R::HitRate);
        assert_eq!(rate.certainty, Certainty::Modelled);
        says(&rate, "under \"org\"");
        says(&of(&snapshot, template, R::LookupsPerSecond), "together with other namespaces");
    }
}

fn timed(seconds: u64) -> Vec<String> {
    let name = "cache_latency_seconds";
    let labels = "layer=redis,operation=get,type=user";
    let per_second = [("0.001", 50), ("0.005", 90), ("0.01", 99), ("+Inf", 100)];
    let mut lines: Vec<String> = per_second
        .iter()
        .map(|(bound, count)| format!("{name}_bucket{{le={bound},{labels}}} {}", count * seconds))
        .collect();
    lines.push(format!("{name}_sum{{{labels}}} {}", 0.2 * seconds as f64));
    lines.push(format!("{name}_count{{{labels}}} {}", 100 * seconds));
    lines.push(format!("{name}_count{{layer=redis,operation=set,type=user}} {}", 900 * seconds));
    lines
}

#[test]
fn latency_is_prometheus_quantile_of_bucket_differences() {
    let mut run = run();
    for seconds in (0..=60).step_by(5) {
        let lines = timed(seconds);
        run.page(seconds as f64, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let snapshot = run.minute(61.0);
    let of_row: Readings = crate::support::row(&snapshot, "user:{id}").readings.iter().collect();
    for readings in [&of_row, &snapshot.instance] {
        near(&readings[&R::LatencyP50Seconds], 0.001);
        // Rank 95 of 100 lies 5/9 into the bucket from 5 to 10 ms.
        near(&readings[&R::LatencyP95Seconds], 0.005 + 0.005 * 5.0 / 9.0);
        near(&readings[&R::LatencyP99Seconds], 0.01);
        near(&readings[&R::LatencyMeanSeconds], 0.002);
        let p95 = &readings[&R::LatencyP95Seconds];
        assert_eq!((p95.certainty, p95.low, p95.high), (Certainty::Estimated, Some(0.005), Some(0.01)));
        assert_eq!(readings[&R::LatencyMeanSeconds].certainty, Certainty::Exact);
    }
    says(&of(&snapshot, "org:{id}", R::LatencyP99Seconds), "no series labelled");
}

#[test]
fn the_unit_of_latency_is_the_strategys_and_summaries_are_said_to_be_summaries() {
    let mut documented = strategy(&[("user:{id}", "user")]);
    documented.metrics = Some(MetricNames {
        hits: "cache_hit_count".to_owned(),
        misses: "cache_miss_count".to_owned(),
        latency: Some("cache_latency_ms".to_owned()),
        latency_unit_seconds: 0.001,
        read_operation: None,
        layer_label: None,
        redis_layer: None,
        namespace_label: Some("hotspot".to_owned()),
        evictions: None,
        errors: None,
        size: None,
        matchers: std::collections::BTreeMap::new(),
    });
    let mut run = Run::new(&documented);
    for seconds in 0..5 {
        let lines = [
            "cache_latency_ms{hotspot=user,quantile=0.99} 8".to_owned(),
            format!("cache_latency_ms_sum{{hotspot=user}} {}", 30 * seconds),
            format!("cache_latency_ms_count{{hotspot=user}} {}", 10 * seconds),
            format!("cache_hit_count{{hotspot=user}} {}", 10 * seconds),
        ];
        run.page(f64::from(seconds), &lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let snapshot = run.minute(5.0);
    let p99 = of(&snapshot, "user:{id}", R::LatencyP99Seconds);
    near(&p99, 0.008);
    assert_eq!(p99.certainty, Certainty::Modelled);
    near(&of(&snapshot, "user:{id}", R::LatencyMeanSeconds), 0.003);
}

#[test]
fn redis_exporter_stands_in_where_nobody_sends_info() {
    let mut run = Run::new(&Strategy::default());
    for seconds in (0..=60).step_by(15) {
        let lines = [
            format!("redis_keyspace_hits_total{{instance=a,job=r}} {}", 30 * seconds),
            format!("redis_keyspace_misses_total{{instance=a,job=r}} {}", 10 * seconds),
            format!("redis_evicted_keys_total{{instance=a,job=r}} {}", 4 * seconds),
            "redis_memory_used_bytes{instance=a,job=r} 500".to_owned(),
            "redis_memory_max_bytes{instance=a,job=r} 1000".to_owned(),
            "redis_db_keys{instance=a,job=r,db=db0} 7".to_owned(),
        ];
        run.metrics(
            f64::from(seconds),
            "http://p",
            lines.iter().map(|line| sample(line, f64::from(seconds))).collect(),
        );
    }
    let snapshot = run.minute(62.0);
    near(&snapshot.instance[&R::HitRate], 0.75);
    assert_eq!(snapshot.instance[&R::HitRate].source, "redis_exporter");
    near(&snapshot.instance[&R::LookupsPerSecond], 40.0);
    near(&snapshot.instance[&R::EvictionRatio], 0.1);
    near(&snapshot.instance[&R::MemoryRatio], 0.5);
    near(&snapshot.instance[&R::Keys], 7.0);
    // Once INFO answers, the exporter's view of the same server is not added.
    for seconds in 61..=200u64 {
        run.info(seconds as f64, info(seconds, 100 * seconds, 0));
        if seconds % 15 == 0 {
            let line = format!("redis_keyspace_hits_total{{instance=a,job=r}} {}", 30 * seconds);
            run.metrics(seconds as f64, "http://p", vec![sample(&line, seconds as f64)]);
        }
    }
    let snapshot = run.minute(200.5);
    assert_eq!(snapshot.instance[&R::HitRate].source, "INFO");
    near(&snapshot.instance[&R::LookupsPerSecond], 100.0);
}

#[test]
fn too_many_series_are_counted_and_shown() {
    let mut run = Run::new(&Strategy::default());
    let samples: Vec<_> = (0..50_100)
        .map(|number| sample(&format!("cache_hits_total{{layer=redis,type=t{number}}} 1"), 0.0))
        .collect();
    run.metrics(0.0, "http://app/metrics", samples);
    let snapshot = run.minute(1.0);
    says(&of(&snapshot, "t7", R::HitRate), "sampled once");
    let finding =
        snapshot.findings.iter().find(|finding| finding.code == "series-overflow").expect("100 too many");
    assert!(finding.summary.starts_with("100 series"), "{}", finding.summary);
    assert_eq!(run.engine.namespaces(), 500);
}

#[test]
fn an_application_that_disagrees_with_the_server_is_a_finding() {
    let mut run = run();
    for seconds in (0..=60).step_by(5) {
        page(&mut run, seconds);
        run.info(seconds as f64 + 0.01, info(100 + seconds, 30 * seconds, 10 * seconds));
    }
    let snapshot = run.minute(61.0);
    let finding =
        snapshot.findings.iter().find(|finding| finding.code == "counters-disagree").expect("140, not 40");
    assert!(finding.summary.contains("the application counts"), "{}", finding.summary);
    assert_eq!(snapshot.at, at(61.0));
}

/// A strategy whose application counts an in-process cache beside Redis.
fn layered() -> Strategy {
    let layer = |name: &str, kind: LayerKind, label: Option<&str>, planned: bool| CacheLayer {
        name: name.to_owned(),
        title: format!("The {name} layer"),
        kind,
        technology: String::new(),
        holds: Vec::new(),
        ttls: Vec::new(),
        max_items: None,
        settings: Vec::new(),
        metric_label: label.map(str::to_owned),
        planned,
        note: String::new(),
    };
    let mut strategy = strategy(&[("user:{id}", "user")]);
    strategy.layers = vec![
        layer("browser", LayerKind::Browser, None, false),
        layer("edge", LayerKind::Cdn, Some("edge"), true),
        layer("l1", LayerKind::Memory, Some("memory"), false),
        layer("l2", LayerKind::Redis, None, false),
        layer("rows", LayerKind::Database, Some("rows"), false),
    ];
    strategy
}

#[test]
fn layers_have_the_readings_that_the_application_counts_under_their_labels() {
    let mut run = Run::new(&layered());
    for seconds in (0..=120u64).step_by(5) {
        let line = |name: &str, per_second: u64| format!("{name} {}", per_second * seconds);
        let lines = [
            line("cache_hits_total{layer=memory,type=user}", 60),
            line("cache_misses_total{layer=memory,type=user}", 40),
            line("cache_hits_total{layer=redis,type=user}", 36),
            line("cache_misses_total{layer=redis,type=user}", 4),
            line("cache_hits_total{layer=cdn,type=page}", 5),
            line("cache_latency_seconds_sum{layer=memory,operation=get}", 1),
            line("cache_latency_seconds_count{layer=memory,operation=get}", 100),
            line("cache_latency_seconds_bucket{layer=memory,operation=get,le=0.01}", 50),
            line("cache_latency_seconds_bucket{layer=memory,operation=get,le=0.02}", 100),
            line("cache_latency_seconds_bucket{layer=memory,operation=get,le=+Inf}", 100),
        ];
        run.page(seconds as f64, &lines.each_ref().map(String::as_str));
    }
    let snapshot = run.minute(121.0);
    let names: Vec<&str> = snapshot.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(
        names,
        ["browser", "edge", "l1", "l2", "rows", "cdn"],
        "as documented, then what labels alone name"
    );
    let of = |name: &str, kind: R| {
        let layer = snapshot.layers.iter().find(|layer| layer.name == name).expect(name);
        layer.readings[&kind].clone()
    };
    near(&of("l1", R::HitRate), 0.6);
    assert_eq!(of("l1", R::HitRate).certainty, Certainty::Exact);
    near(&of("l1", R::LookupsPerSecond), 100.0);
    near(&of("l1", R::LatencyMeanSeconds), 0.01);
    near(&of("l1", R::LatencyP50Seconds), 0.01);
    near(&of("l2", R::HitRate), 0.9);
    near(&of("l2", R::LookupsPerSecond), 40.0);
    near(&of("cdn", R::HitRate), 1.0);
    says(&of("browser", R::HitRate), "name its label in the strategy");
    says(&of("edge", R::HitRate), "plans it");
    says(&of("rows", R::HitRate), "no series of the layer \"rows\"");
    // What other layers count is no traffic of Redis, and makes no namespace.
    near(&snapshot.instance[&R::LookupsPerSecond], 40.0);
    assert!(snapshot.namespaces.iter().all(|row| row.namespace != "page"));
}

#[test]
fn a_rule_on_a_layer_fires_by_the_layers_own_counters() {
    let mut strategy = layered();
    strategy.rules = [("L1", "l1"), ("L2", "l2"), ("Browser", "browser")]
        .map(|(name, layer)| Rule {
            name: name.to_owned(),
            subject: Subject::Layer { layer: layer.to_owned(), reading: R::HitRate },
            window: Window::OneMinute,
            threshold: Some(Threshold { comparison: Comparison::Below, value: 0.8 }),
            for_duration: std::time::Duration::ZERO,
            keep_firing_for: std::time::Duration::ZERO,
            minimum_lookups: 100,
            severity: Severity::Warning,
            summary: String::new(),
            action: String::new(),
            playbook: None,
            warm: None,
            documented: String::new(),
            note: String::new(),
        })
        .into();
    let mut run = Run::new(&strategy);
    for seconds in (0..=60u64).step_by(5) {
        let lines = [
            format!("cache_hits_total{{layer=memory,type=user}} {}", 60 * seconds),
            format!("cache_misses_total{{layer=memory,type=user}} {}", 40 * seconds),
            format!("cache_hits_total{{layer=redis,type=user}} {}", 36 * seconds),
            format!("cache_misses_total{{layer=redis,type=user}} {}", 4 * seconds),
        ];
        run.page(seconds as f64, &lines.each_ref().map(String::as_str));
    }
    let snapshot = run.minute(61.0);
    let mut evaluator = Evaluator::for_strategy(&strategy, EvaluatorOptions::default());
    evaluator.evaluate(at(61.0), &Inputs::new().snapshot(&snapshot));
    let firing: Vec<&AlertLabels> = evaluator.alerts().map(|(_, alert)| &alert.labels).collect();
    assert_eq!(firing, [&AlertLabels::from([("layer".to_owned(), "l1".to_owned())])]);
    let statuses = evaluator.statuses();
    assert_eq!((statuses[1].health, statuses[2].health), (RuleHealth::Ok, RuleHealth::NoData));
    assert!(statuses[2].detail.contains("name its label"), "{}", statuses[2].detail);
    let (rule, alert) = evaluator.alerts().next().expect("one fires");
    let question = Question { rule, alert, now: at(61.0), marks: &[] };
    let triage = run.engine.triage(&question, &mut Compared::new());
    assert_eq!(triage.sentence, "Layer l1: hit rate 60 % for 0 s, target 80 %.");
}
