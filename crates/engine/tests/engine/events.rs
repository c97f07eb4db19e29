use cachescope_model::events::KeyEventKind::{Deleted, Evicted, Expired, Miss, New};
use cachescope_model::observation::{EventChannels, Observed};
use cachescope_model::reading::Certainty;
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};

use crate::support::{Run, at, info, near, of, row, says, strategy};

fn run() -> Run {
    Run::new(&strategy(&[("user:{id}", "user"), ("org:{id}", "org")]))
}

#[test]
fn misses_evictions_and_expirations_are_counted_by_namespace() {
    let mut run = run();
    run.began(0.0);
    for second in 0..20 {
        run.events(
            f64::from(second) + 0.5,
            &[
                (Miss, "user:1"),
                (Miss, "user:2"),
                (Evicted, "org:9"),
                (Expired, "user:3"),
                (Miss, "cart:1:items"),
            ],
        );
    }
    let snapshot = run.minute(20.0);
    near(&of(&snapshot, "user:{id}", R::MissesPerSecond), 2.0);
    near(&of(&snapshot, "org:{id}", R::MissesPerSecond), 0.0);
    near(&of(&snapshot, "org:{id}", R::EvictionsPerSecond), 1.0);
    near(&of(&snapshot, "user:{id}", R::ExpirationsPerSecond), 1.0);
    near(&of(&snapshot, "cart:{id}:items", R::MissesPerSecond), 1.0);
    let misses = of(&snapshot, "user:{id}", R::MissesPerSecond);
    assert_eq!(misses.certainty, Certainty::Exact);
    assert!((misses.window_seconds - 20.0).abs() < 0.01);
    assert_eq!(snapshot.miss_causes.total(), 60);
    near(&snapshot.instance[&R::MissesPerSecond], 3.0);
    says(&of(&snapshot, "user:{id}", R::HitRate), "needs the application's own metrics");
}

#[test]
fn a_miss_is_explained_by_what_happened_to_the_key_before() {
    let mut run = run();
    run.began(0.0);
    run.events(1.0, &[(Expired, "user:1"), (Miss, "user:1"), (Miss, "user:1")]);
    run.events(2.0, &[(Evicted, "user:2")]);
    run.events(9.0, &[(Miss, "user:2"), (Miss, "user:3")]);
    // Set again after the first miss, gone again unseen: nobody can know why.
    run.events(20.0, &[(Miss, "user:1")]);
    let causes = run.minute(21.0).miss_causes;
    assert_eq!((causes.expired, causes.evicted, causes.unknown, causes.total()), (2, 1, 2, 5));
}

#[test]
fn with_news_of_deletions_and_additions_the_last_event_decides() {
    let mut run = run();
    let all = EventChannels {
        misses: Some(true),
        evictions: Some(true),
        expirations: Some(true),
        deletions: Some(true),
        additions: Some(true),
    };
    run.see(0.0, "redis:6379", Observed::EventsBegan(all));
    run.events(1.0, &[(Expired, "user:1"), (New, "user:1"), (Deleted, "user:1"), (Miss, "user:1")]);
    run.events(9.0, &[(Miss, "user:1"), (New, "user:1"), (Miss, "user:1")]);
    let causes = run.minute(10.0).miss_causes;
    assert_eq!((causes.deleted, causes.expired, causes.unknown), (2, 0, 1));
}

#[test]
fn a_flush_a_restart_and_a_loss_make_causes_unknown() {
    for upheaval in ["flush", "restart", "loss"] {
        let mut run = run();
        run.began(0.0);
        run.info(0.1, info(100, 0, 0));
        run.events(1.0, &[(Expired, "user:1")]);
        let mut after = info(102, 0, 0);
        match upheaval {
            "flush" => {
                after.commands = vec![cachescope_model::server::CommandStat {
                    command: "flushall".to_owned(),
                    calls: 1,
                    microseconds: 5,
                }]
            }
            "restart" => after.run_id = "b".to_owned(),
            _ => run.see(1.5, "redis:6379", Observed::EventsLost),
        }
        run.info(2.0, after);
        run.events(3.0, &[(Miss, "user:1")]);
        let causes = run.minute(4.0).miss_causes;
        assert_eq!((causes.expired, causes.unknown), (0, 1), "{upheaval}");
    }
}

#[test]
fn our_own_misses_do_not_count_in_either_order() {
    let mut run = run();
    run.began(0.0);
    run.info(0.0, info(100, 0, 0));
    // The event first, then the reply to our lookup; and the other way round.
    run.events(1.0, &[(Miss, "user:1"), (Miss, "user:2")]);
    run.own_miss(1.4, "user:1");
    run.own_miss(2.0, "user:3");
    run.events(2.9, &[(Miss, "user:3"), (Miss, "user:3")]);
    // More than two seconds apart they have nothing to do with each other.
    run.own_miss(5.0, "user:4");
    run.events(7.5, &[(Miss, "user:4")]);
    let snapshot = run.minute(8.0);
    assert_eq!(row(&snapshot, "user:{id}").miss_causes.total(), 3);
    assert_eq!(snapshot.miss_causes.total(), 3);
}

#[test]
fn looking_for_a_lock_of_ours_is_a_miss_of_nobodys() {
    let mut run = run();
    run.began(0.0);
    run.info(0.0, info(100, 0, 0));
    // Redis announces it like any other miss, and counts it, which is taken out of INFO before it comes here.
    run.events(
        1.0,
        &[(Miss, "cachescope:lock:purge"), (Miss, "user:1"), (Miss, "cachescope:lock:load:user:1")],
    );
    run.info(2.0, info(101, 0, 1));
    let snapshot = run.minute(3.0);
    assert_eq!(snapshot.miss_causes.total(), 1);
    assert_eq!(row(&snapshot, "").miss_causes.total(), 0);
}

#[test]
fn an_undisturbed_run_shows_no_loss_whenever_info_and_events_come() {
    // INFO may be ahead of the events or behind them by as much as one poll.
    for lag in [-0.9, -0.3, 0.0, 0.3, 0.9] {
        let mut run = run();
        run.began(-5.0);
        for second in 0..120u64 {
            let when = second as f64;
            let misses: Vec<_> = (0..50).map(|_| (Miss, "user:1")).collect();
            if lag < 0.0 {
                run.info(when, info(100 + second, 0, 50 * second));
                run.events(when - lag, &misses);
            } else {
                run.events(when, &misses);
                run.info(when + lag, info(100 + second, 0, 50 * second));
            }
        }
        let snapshot = run.minute(120.0);
        let total = snapshot.control_totals.iter().find(|total| total.what == "misses").expect("compared");
        assert_eq!(total.loss_ratio, Some(0.0), "lag {lag}: {total:?}");
        assert_eq!(of(&snapshot, "user:{id}", R::MissesPerSecond).certainty, Certainty::Exact, "lag {lag}");
        assert!(
            snapshot.findings.iter().all(|finding| finding.code != "counters-disagree"),
            "{:?}",
            snapshot.findings
        );
    }
}

#[test]
fn lost_events_are_a_figure_and_widen_the_interval() {
    let mut run = run();
    run.began(0.0);
    for second in 0..60u64 {
        run.info(second as f64, info(100 + second, 0, 100 * second));
        // One in ten never arrives.
        let misses: Vec<_> = (0..90).map(|_| (Miss, "user:1")).collect();
        run.events(second as f64 + 0.5, &misses);
    }
    let snapshot = run.minute(59.8);
    let total = snapshot.control_totals.iter().find(|total| total.what == "misses").expect("compared");
    assert!((total.loss_ratio.expect("there was traffic") - 0.1).abs() < 0.005, "{total:?}");
    let misses = of(&snapshot, "user:{id}", R::MissesPerSecond);
    assert_eq!(misses.certainty, Certainty::Estimated);
    let (low, high) = (misses.low.expect("low"), misses.high.expect("high"));
    assert!(low <= 90.5 && high >= 97.0, "the truth is 100: {misses:?}");
    says(&misses, "not announced");
    assert!(snapshot.findings.iter().any(|finding| finding.code == "counters-disagree"));
}

#[test]
fn a_broken_subscription_is_a_gap_since_the_last_batch() {
    let mut run = run();
    run.began(0.0);
    for second in 0..20 {
        run.events(f64::from(second), &[(Miss, "user:1")]);
    }
    run.see(29.0, "redis:6379", Observed::EventsLost);
    run.began(35.0);
    for second in 35..50 {
        run.events(f64::from(second), &[(Miss, "user:1")]);
    }
    let snapshot = run.minute(50.0);
    let misses = of(&snapshot, "user:{id}", R::MissesPerSecond);
    assert_eq!(misses.certainty, Certainty::Estimated);
    assert!((misses.window_seconds - 34.0).abs() < 0.1, "{misses:?}");
    near(&misses, 35.0 / 34.0);
    says(&misses, "not received for 16 s");
}

#[test]
fn kinds_that_do_not_arrive_are_unavailable_with_the_remedy() {
    let mut run = run();
    let channels = EventChannels { misses: Some(false), evictions: Some(true), ..EventChannels::default() };
    run.see(0.0, "redis:6379", Observed::EventsBegan(channels));
    run.events(1.0, &[(Evicted, "user:1")]);
    let snapshot = run.minute(2.0);
    says(&of(&snapshot, "user:{id}", R::MissesPerSecond), "notify-keyspace-events");
    near(&of(&snapshot, "user:{id}", R::EvictionsPerSecond), 0.5);
    says(&of(&snapshot, "user:{id}", R::ExpirationsPerSecond), "+config|get");
    // What nobody could promise is believed once it is heard.
    run.events(2.5, &[(Expired, "user:1")]);
    near(&of(&run.minute(5.0), "user:{id}", R::ExpirationsPerSecond), 0.2);

    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.see(
        0.0,
        "redis:6379",
        Observed::Status(SourceStatus {
            source: SourceId::Events,
            health: SourceHealth::Unavailable,
            since: at(0.0),
            detail: "the user may not subscribe".to_owned(),
            remedy: "ACL SETUSER app +subscribe &__keyevent@*".to_owned(),
        }),
    );
    let snapshot = run.minute(1.0);
    says(&of(&snapshot, "user:{id}", R::MissesPerSecond), "may not subscribe; ACL SETUSER app +subscribe");
    assert_eq!(snapshot.sources.len(), 1);
}

#[test]
fn every_node_has_to_be_heard() {
    let mut run = run();
    run.began(0.0);
    let nothing = EventChannels { misses: Some(false), ..EventChannels::default() };
    run.see(0.0, "replica:6379", Observed::EventsBegan(nothing));
    run.events(1.0, &[(Miss, "user:1")]);
    let snapshot = run.minute(5.0);
    assert_eq!(of(&snapshot, "user:{id}", R::MissesPerSecond).certainty, Certainty::Unavailable);
}
