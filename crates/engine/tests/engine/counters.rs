use cachescope_model::observation::Observed;
use cachescope_model::reading::Certainty;
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::server::{CommandStat, OwnTraffic, ServerInfo};
use cachescope_model::strategy::Strategy;
use cachescope_model::window::Window;

use crate::support::{Run, info, near, says};

#[test]
fn the_first_info_is_a_baseline_and_rates_come_from_differences() {
    let mut run = Run::new(&Strategy::default());
    run.info(0.3, info(1_000, 900_000, 100_000));
    let first = run.minute(0.5);
    assert_eq!(first.instance[&R::HitRate].certainty, Certainty::Unavailable);
    says(&first.instance[&R::HitRate], "second answer");
    near(&first.instance[&R::MemoryBytes], 1_000_000.0);
    near(&first.instance[&R::MemoryRatio], 0.25);
    near(&first.instance[&R::ConnectedClients], 3.0);
    near(&first.instance[&R::Keys], 10.0);
    near(&first.instance[&R::NoTtlRatio], 0.2);
    for second in 1..=20u64 {
        run.info(second as f64 + 0.3, info(1_000 + second, 900_000 + 30 * second, 100_000 + 10 * second));
    }
    let snapshot = run.minute(20.5);
    near(&snapshot.instance[&R::HitRate], 0.75);
    near(&snapshot.instance[&R::LookupsPerSecond], 40.0);
    near(&snapshot.instance[&R::MissesPerSecond], 10.0);
    near(&snapshot.instance[&R::CommandsPerSecond], 40.0);
    assert!(
        (snapshot.instance[&R::HitRate].window_seconds - 20.0).abs() < 0.01,
        "the window says that it fills"
    );
    assert_eq!(snapshot.nodes[0].engine, "redis 7.0.15");
    let ten = run.snapshot(20.6, Window::TenSeconds);
    let seconds = ten.instance[&R::HitRate].window_seconds;
    assert!((10.0..11.0).contains(&seconds), "{seconds}");
}

#[test]
fn a_server_without_traffic_has_no_hit_rate() {
    let mut run = Run::new(&Strategy::default());
    for second in 0..10 {
        run.info(second as f64, info(1_000 + second, 500, 500));
    }
    let snapshot = run.minute(9.2);
    says(&snapshot.instance[&R::HitRate], "no traffic");
    says(&snapshot.instance[&R::EvictionRatio], "no traffic");
    near(&snapshot.instance[&R::LookupsPerSecond], 0.0);
}

#[test]
fn whatever_sets_counters_back_begins_anew_and_never_gives_a_wild_rate() {
    let steady = |second: u64| info(1_000 + second, 1_000_000 + 100 * second, 10 * second);
    type AtSecond = fn(u64) -> ServerInfo;
    let cases: [(&str, AtSecond); 4] = [
        ("restarted", |second| {
            let mut after = info(second - 10, 100 * (second - 10), 10 * (second - 10));
            after.run_id = "b".to_owned();
            after
        }),
        // A restart that some proxy hides: only uptime goes back.
        ("restarted", |second| info(second - 10, 9_000_000 + 100 * second, 10 * second)),
        ("RESETSTAT", |second| info(1_000 + second, 100 * (second - 10), 10 * (second - 10))),
        ("made anew", |second| {
            let mut after = info(1_000 + second, 1_000_000 + 100 * second, 10 * second);
            after.own = OwnTraffic::default();
            after
        }),
    ];
    for (words, after) in cases {
        let mut run = Run::new(&Strategy::default());
        for second in 0..10 {
            let mut before = steady(second);
            before.own.commands = 7;
            run.info(second as f64, before);
        }
        for second in 10..20 {
            run.info(second as f64, after(second));
        }
        let snapshot = run.minute(19.0);
        near(&snapshot.instance[&R::LookupsPerSecond], 110.0);
        near(&snapshot.instance[&R::HitRate], 100.0 / 110.0);
        says(&snapshot.instance[&R::HitRate], words);
        let seconds = snapshot.instance[&R::HitRate].window_seconds;
        assert!((seconds - 18.0).abs() < 0.01, "{words}: the second of the reset is a gap, {seconds}");
    }
}

#[test]
fn what_we_do_ourselves_is_no_traffic() {
    let mut run = Run::new(&Strategy::default());
    for second in 0..30u64 {
        let mut idle = info(1_000 + second, 50 + 7 * second, 3 + 2 * second);
        idle.commands_processed = 100 + 12 * second;
        idle.own = OwnTraffic {
            hits: 7 * second,
            misses: 2 * second,
            commands: 12 * second,
            gets: 3 * second,
            connections: 2,
        };
        idle.commands =
            vec![CommandStat { command: "get".to_owned(), calls: 3 * second, microseconds: second }];
        run.info(second as f64, idle);
    }
    let snapshot = run.minute(29.5);
    for kind in [R::LookupsPerSecond, R::MissesPerSecond, R::CommandsPerSecond] {
        near(&snapshot.instance[&kind], 0.0);
    }
    says(&snapshot.instance[&R::HitRate], "no traffic");
    says(&snapshot.instance[&R::ExecutionMeanSeconds], "no read command");
}

#[test]
fn several_nodes_add_up_and_one_that_vanished_leaves() {
    let mut run = Run::new(&Strategy::default());
    for second in 0..100u64 {
        let mut node = info(1_000 + second, 10 * second, 0);
        node.run_id = "a".to_owned();
        run.see(second as f64, "a:1", Observed::Info(Box::new(node.clone())));
        if second < 40 {
            node.run_id = "b".to_owned();
            run.see(second as f64 + 0.1, "b:1", Observed::Info(Box::new(node)));
        }
        if second == 39 {
            let both = run.minute(39.2);
            near(&both.instance[&R::LookupsPerSecond], 20.0);
            near(&both.instance[&R::MemoryBytes], 2_000_000.0);
            assert_eq!(both.nodes.len(), 2);
        }
    }
    let one = run.snapshot(99.2, Window::TenSeconds);
    near(&one.instance[&R::LookupsPerSecond], 10.0);
    near(&one.instance[&R::MemoryBytes], 1_000_000.0);
    assert_eq!(one.nodes.len(), 1);
}

#[test]
fn memory_and_keys_are_those_of_the_primaries() {
    let mut run = Run::new(&Strategy::default());
    for (node, role) in [("a:1", "master"), ("a:2", "slave")] {
        let mut server = info(10, 0, 0);
        server.role = role.to_owned();
        server.maxmemory = 0;
        server.total_system_memory = 8_000_000;
        run.see(0.0, node, Observed::Info(Box::new(server)));
    }
    let snapshot = run.minute(0.5);
    near(&snapshot.instance[&R::MemoryBytes], 1_000_000.0);
    near(&snapshot.instance[&R::MemoryRatio], 0.125);
    says(&snapshot.instance[&R::MemoryRatio], "no maxmemory");
}

#[test]
fn a_silent_server_has_no_current_figures() {
    let mut run = Run::new(&Strategy::default());
    for second in 0..30u64 {
        run.info(second as f64, info(1_000 + second, 10 * second, 0));
    }
    let soon = run.minute(50.0);
    says(&soon.instance[&R::MemoryBytes], "last INFO came 21 s ago");
    near(&soon.instance[&R::LookupsPerSecond], 10.0);
    let late = run.minute(150.0);
    says(&late.instance[&R::LookupsPerSecond], "last INFO came");
    assert!(late.nodes.is_empty());
}

#[test]
fn mean_execution_is_that_of_read_commands() {
    let mut run = Run::new(&Strategy::default());
    for second in 0..5u64 {
        let mut server = info(1_000 + second, 10 * second, 0);
        let stat = |command: &str, calls: u64, microseconds: u64| CommandStat {
            command: command.to_owned(),
            calls,
            microseconds,
        };
        server.commands = vec![
            stat("get", 100 * second, 200 * second),
            stat("mget", 100 * second, 600 * second),
            stat("set", 9, 1),
        ];
        run.info(second as f64, server);
    }
    near(&run.minute(4.2).instance[&R::ExecutionMeanSeconds], 4e-6);
}
