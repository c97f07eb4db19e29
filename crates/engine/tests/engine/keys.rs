//! Which keys stand out.

use cachescope_model::events::KeyEventKind::Miss;
use cachescope_model::window::Window;

use crate::support::{Run, at, info, strategy};

#[test]
fn the_keys_that_are_looked_up_and_missed_most_come_first_with_bounds() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.began(-1.0);
    for second in 0..100u64 {
        let when = second as f64;
        run.info(when, info(100 + second, 980 * second, 20 * second));
        // A tenth of the thousand lookups a second: 40 of user:1, 20 of user:2, the others once each.
        for part in 0..2u64 {
            let others: Vec<_> = (0..20).map(|number| format!("user:9{second}{part}{number}")).collect();
            let others = others.iter().map(|key| (key.as_str(), true));
            let hot = (0..30).map(|number| (if number < 20 { "user:1" } else { "user:2" }, true));
            let lookups: Vec<_> = hot.chain(others).collect();
            run.burst(when + 0.2 + 0.3 * part as f64, 50, true, &lookups);
        }
        let missed: Vec<_> =
            (0..20).map(|number| (Miss, if number < 15 { "user:5" } else { "user:6" })).collect();
        run.events(when + 0.9, &missed);
    }
    let keys = run.engine.keys("user:{id}", at(100.0), Window::OneMinute).expect("a documented namespace");
    let hot: Vec<_> = keys.hot.iter().map(|rate| rate.key.as_str()).take(2).collect();
    assert_eq!(hot, ["user:1", "user:2"]);
    for (rate, truth) in keys.hot.iter().zip([400.0, 200.0]) {
        assert!(rate.low <= truth && truth <= rate.high, "{truth}: {rate:?}");
        assert!((rate.per_second / truth - 1.0).abs() < 0.2, "{truth}: {rate:?}");
    }
    let missed: Vec<_> =
        keys.missed.iter().map(|rate| (rate.key.as_str(), rate.per_second.round())).collect();
    assert_eq!(missed, [("user:5", 15.0), ("user:6", 5.0)]);
    assert!((60.0..=120.0).contains(&keys.missed_seconds), "{}", keys.missed_seconds);
    assert_eq!((keys.hot_reason, keys.missed_reason), (None, None));
    assert!(keys.hot.len() <= 20);
}

#[test]
fn what_was_hot_long_ago_is_not_hot_now() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.began(0.0);
    for second in 0..60 {
        run.events(f64::from(second), &[(Miss, "user:1"), (Miss, "user:1")]);
    }
    for second in 60..200 {
        run.events(f64::from(second), &[(Miss, "user:2")]);
    }
    let keys = run.engine.keys("user:{id}", at(200.0), Window::OneMinute).expect("a documented namespace");
    assert_eq!(keys.missed.iter().map(|rate| rate.key.as_str()).collect::<Vec<_>>(), ["user:2"]);
    run.engine.advance(at(600.0));
    let later = run.engine.keys("user:{id}", at(600.0), Window::OneMinute).expect("a documented namespace");
    assert!(later.missed.is_empty() && later.missed_reason.is_some(), "{later:?}");
}

#[test]
fn any_key_is_shown_and_long_ones_are_cut() {
    let mut run = Run::new(&strategy(&[]));
    run.began(0.0);
    let long = "x".repeat(5_000);
    run.events(1.0, &[(Miss, "a b\n\u{0}"), (Miss, &long)]);
    let keys = run.engine.keys("", at(2.0), Window::OneMinute).expect("the remainder is always there");
    let shown: Vec<_> = keys.missed.iter().map(|rate| rate.key.as_str()).collect();
    assert!(shown.contains(&"a b\\n\\x00"), "{shown:?}");
    assert!(shown.iter().any(|key| key.ends_with("… (5000 bytes)") && key.len() < 300), "{shown:?}");
    assert!(keys.hot_reason.is_some_and(|reason| reason.contains("source commands")));
    assert!(run.engine.keys("nobody", at(2.0), Window::OneMinute).is_none());
}

#[test]
fn our_own_misses_are_nobodys_keys() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.began(0.0);
    run.events(1.0, &[(Miss, "user:1")]);
    run.own_miss(1.2, "user:1");
    let keys = run.engine.keys("user:{id}", at(2.0), Window::OneMinute).expect("a documented namespace");
    assert!(keys.missed.is_empty(), "{keys:?}");
}
