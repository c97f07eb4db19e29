//! What an alert is about, from seconds of a made-up cache.

use std::time::Duration;

use cachescope_engine::triage::{Compared, Question};
use cachescope_model::alert::{Alert, AlertLabels, AlertState};
use cachescope_model::deployment::DeploymentId;
use cachescope_model::events::KeyEventKind as K;
use cachescope_model::marks::{Mark, MarkKind, MarkSource};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::strategy::{Comparison, Rule, Severity, Signal, Strategy, Subject, Threshold};
use cachescope_model::triage::{MissCause, Triage};
use cachescope_model::window::Window;

use crate::support::{Run, at, info, strategy};

/// When the incident begins, in seconds of the run.
const ONSET: u64 = 240;
/// When somebody asks.
const ASKED: u64 = 330;

fn rule(subject: Subject, comparison: Comparison, value: f64) -> Rule {
    Rule {
        name: "R".to_owned(),
        subject,
        window: Window::OneMinute,
        threshold: Some(Threshold { comparison, value }),
        for_duration: Duration::ZERO,
        keep_firing_for: Duration::ZERO,
        minimum_lookups: 0,
        severity: Severity::Warning,
        summary: "It is bad".to_owned(),
        action: "Do something.".to_owned(),
        playbook: None,
        warm: None,
        documented: String::new(),
        note: String::new(),
    }
}

fn hit_rate() -> Rule {
    rule(Subject::Instance { reading: ReadingKind::HitRate }, Comparison::Below, 0.8)
}

fn alert(value: f64, labels: &[(&str, &str)]) -> Alert {
    let labels: AlertLabels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Alert {
        rule: "R".to_owned(),
        labels,
        state: AlertState::Firing,
        active_at: at(ONSET as f64 + 20.0),
        fired_at: Some(at(ONSET as f64 + 20.0)),
        resolved_at: None,
        keep_firing_since: None,
        gap: None,
        value: Some(value),
        low: None,
        high: None,
        reason: String::new(),
    }
}

/// Two namespaces, `users` and `orders`; one of them with tenants.
fn shop() -> Strategy {
    let mut strategy = strategy(&[("user:{id}", "Users"), ("order:{tenant}:{id}", "Orders")]);
    strategy.namespaces[1].tenant = Some("tenant".to_owned());
    strategy
}

/// A cache with 100 lookups a second of which one misses in each namespace, for a reason nobody can tell. From
/// [`ONSET`] on `more` happens beside it in every second: events, and INFO's misses and evictions on top.
fn play(strategy: &Strategy, more: impl Fn(u64) -> (Vec<(K, String)>, u64)) -> Run {
    let mut run = Run::new(strategy);
    let (mut hits, mut misses, mut evicted, mut expired) = (1_000, 0, 0, 0);
    run.info(0.0, info(100, hits, misses));
    run.began(0.1);
    for second in 1..=ASKED {
        let mut events = vec![(K::Miss, format!("user:{second}")), (K::Miss, format!("order:t1:{second}"))];
        let mut memory = 1_000_000;
        if second > ONSET {
            let (happened, used) = more(second);
            events.extend(happened);
            memory = used;
        }
        let count = |kind: K| events.iter().filter(|(of, _)| *of == kind).count() as u64;
        hits += 98;
        misses += count(K::Miss);
        evicted += count(K::Evicted);
        expired += count(K::Expired);
        let borrowed: Vec<(K, &str)> = events.iter().map(|(kind, key)| (*kind, key.as_str())).collect();
        run.events(second as f64 - 0.5, &borrowed);
        let mut told = info(100 + second, hits, misses);
        (told.evicted_keys, told.expired_keys, told.used_memory) = (evicted, expired, memory);
        run.info(second as f64, told);
        run.engine.advance(at(second as f64));
    }
    run
}

fn ask(run: &Run, rule: &Rule, alert: &Alert, marks: &[Mark]) -> Triage {
    run.engine.triage(&Question { rule, alert, now: at(ASKED as f64), marks }, &mut Compared::new())
}

#[track_caller]
fn says(triage: &Triage, words: &[&str]) {
    for word in words {
        assert!(triage.sentence.contains(word), "{word:?} is not in: {}", triage.sentence);
    }
}

/// Within two steps of the engine's ten seconds.
#[track_caller]
fn begins_at_the_onset(triage: &Triage) {
    let onset = triage.onset.expect("it is told");
    let off = onset.seconds_since(at(ONSET as f64)).abs();
    assert!(off <= 20.0, "{off} s off");
}

#[test]
fn evicted_keys_are_named_with_their_namespace_the_memory_and_the_deploy_before() {
    let run = play(&shop(), |second| {
        let keys = (0..20).map(|number| format!("user:{second}-{number}"));
        let events = keys.flat_map(|key| [(K::Evicted, key.clone()), (K::Miss, key)]).collect::<Vec<_>>();
        (events, 3_900_000)
    });
    let mark = |second: f64, text: &str| Mark {
        id: 1,
        deployment: Some(DeploymentId("d".to_owned())),
        at: at(second),
        kind: MarkKind::Deploy,
        text: text.to_owned(),
        source: MarkSource::Command,
    };
    let marks = [mark(ONSET as f64 - 12.0, "4f21c8"), mark(ONSET as f64 - 3_000.0, "long ago")];
    let triage = ask(&run, &hit_rate(), &alert(0.71, &[]), &marks);
    begins_at_the_onset(&triage);
    assert_eq!(triage.carriers[0].title, "Users");
    assert!(triage.carriers[0].share > 0.95, "{:?}", triage.carriers);
    assert_eq!(triage.causes[0].cause, MissCause::Evicted);
    assert!(triage.causes[0].share > 0.9, "{:?}", triage.causes);
    let memory = triage.memory.expect("it matters");
    assert!(memory.of_maxmemory && memory.ratio > 0.9, "{memory:?}");
    assert_eq!(triage.near.len(), 1, "what was long ago is left out");
    says(
        &triage,
        &[
            "Hit rate 71 % for 70 s, target 80 %",
            "Users",
            "evicted",
            "Memory is at",
            "maxmemory",
            "deploy 4f21c8",
        ],
    );
}

#[test]
fn one_tenant_that_asks_for_what_nobody_asked_before_is_named() {
    let run = play(&shop(), |second| {
        let keys = (0..30).map(|number| (K::Miss, format!("order:t7:{second}-{number}")));
        (keys.collect(), 1_000_000)
    });
    let triage = ask(&run, &hit_rate(), &alert(0.75, &[]), &[]);
    assert_eq!(triage.carriers[0].title, "Orders");
    assert_eq!(triage.tenants[0].tenant, "t7");
    assert!(triage.tenants[0].share > 0.9, "{:?}", triage.tenants);
    says(&triage, &["Orders", "tenant t7"]);
    assert_eq!(triage.memory, None, "memory has nothing to do with it");
    assert_eq!(triage.ttl_cliff, None);
}

#[test]
fn many_keys_that_run_out_at_once_are_a_cliff_and_a_trickle_is_none() {
    let cliff = play(&shop(), |second| {
        let mut events: Vec<(K, String)> = Vec::new();
        for number in 0..200 {
            let key = format!("user:c{number}");
            match second - ONSET {
                2 => events.push((K::Expired, key)),
                3..=10 if number % 8 == second % 8 => events.push((K::Miss, key)),
                _ => {}
            }
        }
        (events, 1_000_000)
    });
    let triage = ask(&cliff, &hit_rate(), &alert(0.75, &[]), &[]);
    let found = triage.ttl_cliff.as_ref().expect("it is one");
    assert!((found.keys - 200.0).abs() <= 20.0 && found.seconds <= 20.0, "{found:?}");
    says(&triage, &["Users", "time to live ran out", "TTL cliff"]);

    let trickle = play(&shop(), |second| {
        let key = format!("user:{second}-x");
        (vec![(K::Expired, key.clone()), (K::Miss, key)], 1_000_000)
    });
    assert_eq!(ask(&trickle, &hit_rate(), &alert(0.79, &[]), &[]).ttl_cliff, None);
}

#[test]
fn an_alert_about_a_namespace_is_explained_within_it() {
    let run = play(&shop(), |second| {
        let keys = (0..20).map(|number| (K::Miss, format!("user:{second}-{number}")));
        (keys.collect(), 1_000_000)
    });
    let subject =
        Subject::Namespaces { namespaces: vec!["Users".to_owned()], reading: ReadingKind::MissesPerSecond };
    let rule = rule(subject, Comparison::Above, 10.0);
    let triage = ask(&run, &rule, &alert(21.0, &[("namespace", "Users")]), &[]);
    begins_at_the_onset(&triage);
    says(&triage, &["Users: misses 21/s for 70 s, limit 10/s (1/s before)."]);
    assert_eq!(triage.carriers.len(), 1);
}

#[test]
fn a_signal_is_held_against_the_misses() {
    let mut strategy = shop();
    strategy.signals.push(Signal {
        name: "db-cpu".to_owned(),
        title: "Database CPU".to_owned(),
        promql: "cpu".to_owned(),
        unit: cachescope_model::reading_kind::Unit::Ratio,
        threshold: None,
        stops_actions: true,
        note: String::new(),
    });
    let rule = rule(Subject::Signal { signal: "db-cpu".to_owned() }, Comparison::Above, 0.7);
    let quiet = play(&strategy, |_| (Vec::new(), 1_000_000));
    let triage = ask(&quiet, &rule, &alert(0.9, &[]), &[]);
    says(&triage, &["Database CPU 90 %", "limit 70 %", "misses no more than before", "elsewhere"]);
    assert!(triage.causes.is_empty(), "{:?}", triage.causes);

    let missing = play(&strategy, |second| {
        let keys = (0..20).map(|number| (K::Miss, format!("order:t1:{second}-{number}")));
        (keys.collect(), 1_000_000)
    });
    let triage = ask(&missing, &rule, &alert(0.9, &[]), &[]);
    says(&triage, &["Misses rose from 2/s", "Orders"]);
}

#[test]
fn without_a_before_nothing_is_shared_out_and_nothing_is_invented() {
    let mut run = Run::new(&shop());
    run.info(0.0, info(100, 1_000, 0));
    run.engine.advance(at(ASKED as f64));
    let triage = ask(&run, &hit_rate(), &alert(0.5, &[]), &[]);
    assert_eq!((triage.onset, triage.before), (None, None));
    assert!(triage.carriers.is_empty() && triage.causes.is_empty() && triage.tenants.is_empty());
    assert_eq!(triage.sentence, "Hit rate 50 % for 70 s, target 80 %.");
    assert_eq!(triage.advice, "Do something.");
}

#[test]
fn a_cache_that_was_no_better_before_is_explained_by_the_causes_of_all_its_misses() {
    let mut run = Run::new(&shop());
    let (mut hits, mut misses) = (1_000, 0);
    run.info(0.0, info(100, hits, misses));
    run.began(0.1);
    for second in 1..=ASKED {
        let keys: Vec<String> = (0..20).map(|number| format!("user:{second}-{number}")).collect();
        let events = keys.iter().flat_map(|key| [(K::Evicted, key.as_str()), (K::Miss, key.as_str())]);
        run.events(second as f64 - 0.5, &events.collect::<Vec<_>>());
        (hits, misses) = (hits + 80, misses + 20);
        run.info(second as f64, info(100 + second, hits, misses));
        run.engine.advance(at(second as f64));
    }
    let triage = ask(&run, &hit_rate(), &alert(0.8, &[]), &[]);
    assert!(triage.causes_of_all && triage.carriers.is_empty(), "{triage:?}");
    assert_eq!(triage.causes[0].cause, MissCause::Evicted);
    says(&triage, &["100 % of the misses are keys evicted before their time to live."]);

    // Of what nobody can tell nothing is said.
    let quiet = play(&shop(), |_| (Vec::new(), 1_000_000));
    let triage = ask(&quiet, &hit_rate(), &alert(0.98, &[]), &[]);
    assert!(triage.causes.is_empty() && !triage.causes_of_all, "{triage:?}");
}

#[test]
fn a_cache_that_does_not_answer_is_said_to() {
    let run = Run::new(&shop());
    let rule = rule(Subject::Reachable, Comparison::Below, 1.0);
    let triage = ask(&run, &rule, &alert(0.0, &[]), &[]);
    assert_eq!(triage.sentence, "The cache has not answered for 70 s.");
}
