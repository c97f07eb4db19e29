//! Alerts over time: tables of evaluations and what they lead to.

use std::time::Duration;

use cachescope_engine::rules::machine::{AlertMachine, Past, Times};
use cachescope_engine::rules::{Evaluator, EvaluatorOptions, Inputs, Sample};
use cachescope_model::alert::{AlertLabels, AlertState, RuleHealth, Transition};
use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::row_readings::RowReadings;
use cachescope_model::snapshot::{MissCauses, NamespaceOrigin, NamespaceSnapshot, Snapshot};
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_model::strategy::{Comparison, Namespace, Rule, Severity, Strategy, Subject, Threshold};
use cachescope_model::template::Template;
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;
use proptest::prelude::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One evaluation every 15 s for each sign: `!` past, `?` past and uncertain, `.` not past. Gives the states after
/// each: `i`nactive, `p`ending, `f`iring, `r`esolved.
fn states(evaluations: &str, hold: u64, keep_firing: u64) -> String {
    let mut machine = AlertMachine::default();
    let times = Times { hold: seconds(hold), keep_firing: seconds(keep_firing) };
    let mut states = String::new();
    for (place, sign) in (0i64..).zip(evaluations.chars()) {
        let doubt = (sign == '?').then(|| "reaches over".to_owned());
        let past = Past { sample: Sample::exact(AlertLabels::new(), 1.0), doubt };
        let past = if sign == '.' { Vec::new() } else { vec![past] };
        machine
            .step("Rule", times, Timestamp::from_seconds(place * 15), past, |_| String::new())
            .expect("one figure has no double");
        states.push(match machine.alerts().next().map(|alert| alert.state) {
            None | Some(AlertState::Inactive) => 'i',
            Some(AlertState::Pending) => 'p',
            Some(AlertState::Firing) => 'f',
            Some(AlertState::Resolved) => 'r',
        });
    }
    states
}

#[test]
fn states_follow_prometheus() {
    for (hold, keep_firing, evaluations, wanted, why) in [
        (0, 0, ".!!.", "iffr", "without `for` it fires at once"),
        (30, 0, "!!!!.", "ppffr", "it fires when exactly `for` has gone by"),
        (31, 0, "!!!!.", "pppfr", "and not before"),
        (30, 0, "!!.!!!", "ppippf", "one absence clears a pending alert"),
        (30, 0, "!!!.!!!", "ppfrppf", "a resolved alert begins anew"),
        (0, 30, "!..!..", "ffffff", "it goes on firing, and a return resets that time"),
        (0, 30, "!...", "fffr", "until exactly `keep_firing_for` has gone by"),
        (30, 30, "!!..", "ppii", "what is pending is not kept"),
        (30, 0, "!!??!", "ppppf", "an uncertain figure stays pending and does not lose its time"),
        (0, 0, "!??.", "fffr", "an uncertain figure keeps a firing alert firing"),
        (0, 0, "?.", "pi", "and never fires by itself"),
    ] {
        assert_eq!(states(evaluations, hold, keep_firing), wanted, "{why}");
    }
}

#[test]
fn a_resolved_alert_is_kept_for_fifteen_minutes() {
    let evaluations = format!("!{}", ".".repeat(63));
    let wanted = format!("f{}ii", "r".repeat(61));
    assert_eq!(states(&evaluations, 0, 0), wanted);
}

#[test]
fn two_figures_with_the_same_labels_are_an_error_that_leaves_the_alerts() {
    let mut machine = AlertMachine::default();
    let past = || Past { sample: Sample::exact(AlertLabels::new(), 1.0), doubt: None };
    let mut step = |at, past| {
        machine.step("Rule", Times::default(), Timestamp::from_seconds(at), past, |_| String::new())
    };
    assert_eq!(step(0, vec![past()]).map(|transitions| transitions.len()), Ok(1));
    assert!(step(15, vec![past(), past()]).is_err());
    assert_eq!(machine.alerts().next().map(|alert| alert.state), Some(AlertState::Firing));
}

fn rule(name: &str, subject: Subject, hold: u64) -> Rule {
    Rule {
        name: name.to_owned(),
        subject,
        window: Window::OneMinute,
        threshold: Some(Threshold { comparison: Comparison::Below, value: 0.8 }),
        for_duration: seconds(hold),
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

fn instance() -> Subject {
    Subject::Instance { reading: ReadingKind::HitRate }
}

fn strategy() -> Strategy {
    let namespace = |name: &str, template: &str| Namespace {
        name: name.to_owned(),
        ..Namespace::new(Template::parse(template).expect("the test's own template"))
    };
    Strategy {
        namespaces: vec![namespace("session", "session:{token}"), namespace("user", "user:{id}")],
        ..Strategy::default()
    }
}

fn snapshot(hit_rate: Reading, namespaces: &[(&str, Reading, f64)]) -> Snapshot {
    let row = |(template, hit_rate, lookups): &(&str, Reading, f64)| NamespaceSnapshot {
        namespace: (*template).to_owned(),
        origin: NamespaceOrigin::Documented,
        readings: RowReadings::from_iter([
            (ReadingKind::HitRate, hit_rate.clone()),
            (ReadingKind::LookupsPerSecond, Reading::exact(*lookups, "INFO", 60.0)),
        ]),
        ..NamespaceSnapshot::empty()
    };
    Snapshot {
        at: Timestamp(0),
        window: Window::OneMinute,
        instance: Readings::from_iter([(ReadingKind::HitRate, hit_rate)]),
        miss_causes: MissCauses::default(),
        nodes: Vec::new(),
        namespaces: namespaces.iter().map(row).collect(),
        layers: Vec::new(),
        by_node: Vec::new(),
        signals: [("db-cpu".to_owned(), Some(0.5)), ("gone".to_owned(), None)].into(),
        sources: Vec::new(),
        control_totals: Vec::new(),
        findings: Vec::new(),
    }
}

fn exact(value: f64) -> Reading {
    Reading::exact(value, "INFO", 60.0)
}

fn step(evaluator: &mut Evaluator, at: i64, snapshot: &Snapshot) -> Vec<(AlertState, AlertState)> {
    let transitions = evaluator.evaluate(Timestamp::from_seconds(at), &Inputs::new().snapshot(snapshot));
    transitions.into_iter().map(|Transition { from, to, .. }| (from, to)).collect()
}

use AlertState::{Firing, Inactive, Pending, Resolved};

#[test]
fn an_estimate_whose_interval_reaches_over_the_threshold_is_pending_with_the_reason() {
    let strategy = strategy();
    let mut evaluator = Evaluator::new([rule("Low", instance(), 30)], &strategy, EvaluatorOptions::default());
    let wide = snapshot(Reading::estimated(0.78, 0.74, 0.82, "command sample", 60.0), &[]);
    assert_eq!(step(&mut evaluator, 0, &wide), [(Inactive, Pending)]);
    assert_eq!(step(&mut evaluator, 60, &wide), []);
    let alert = evaluator.alerts().next().expect("it is pending").1.clone();
    assert_eq!(alert.reason, "the 95 % interval from 0.74 to 0.82 reaches over the threshold of 0.8");
    assert_eq!((alert.value, alert.low, alert.high), (Some(0.78), Some(0.74), Some(0.82)));
    let narrow = snapshot(Reading::estimated(0.78, 0.77, 0.79, "command sample", 60.0), &[]);
    assert_eq!(step(&mut evaluator, 75, &narrow), [(Pending, Firing)]);
    assert_eq!(evaluator.alerts().next().map(|(_, alert)| alert.reason.clone()), Some(String::new()));
}

#[test]
fn each_namespace_is_judged_for_itself_and_one_that_is_not_there_has_no_data() {
    let strategy = strategy();
    let names = ["session".to_owned(), "user".to_owned()];
    let subject = Subject::Namespaces { namespaces: names.into(), reading: ReadingKind::HitRate };
    let low = Rule { minimum_lookups: 100, ..rule("Low", subject, 0) };
    let mut evaluator = Evaluator::new([low], &strategy, EvaluatorOptions::default());
    let seen =
        snapshot(exact(0.9), &[("session:{token}", exact(0.7), 10.0), ("cart:{id}", exact(0.1), 10.0)]);
    assert_eq!(step(&mut evaluator, 0, &seen), [(Inactive, Firing)]);
    let status = evaluator.statuses().remove(0);
    assert_eq!(status.alerts[0].labels, AlertLabels::from([("namespace".to_owned(), "session".to_owned())]));
    assert_eq!((status.judged, status.without_data, status.health), (2, 1, RuleHealth::Ok));
    let quiet = snapshot(exact(0.9), &[("session:{token}", exact(0.7), 1.0)]);
    assert_eq!(step(&mut evaluator, 15, &quiet), [(Firing, Resolved)]);
    let status = evaluator.statuses().remove(0);
    assert_eq!(status.health, RuleHealth::NoData);
    assert_eq!(status.alerts[0].reason, "no data: 60 lookups in the window, the rule wants 100");
}

#[test]
fn what_is_the_same_in_every_snapshot_wants_none_of_its_own() {
    let strategy = strategy();
    let windows = |rules: Vec<Rule>| -> Vec<Window> {
        let needs = Evaluator::new(rules, &strategy, EvaluatorOptions::default()).needs();
        needs.windows.into_iter().collect()
    };
    let over = |window: Window, subject: Subject| Rule { window, ..rule("any", subject, 0) };
    let reachable = || over(Window::TenSeconds, Subject::Reachable);
    let signal = || over(Window::OneHour, Subject::Signal { signal: "db-cpu".to_owned() });
    assert_eq!(windows(vec![reachable(), signal()]), [Window::default()]);
    let instance = over(Window::FiveMinutes, Subject::Instance { reading: ReadingKind::HitRate });
    assert_eq!(windows(vec![reachable(), instance, signal()]), [Window::FiveMinutes]);
}

#[test]
fn signals_expressions_and_reachability_are_judged_and_a_failure_leaves_the_alerts_and_the_others() {
    let strategy = strategy();
    let signal = |name: &str| Subject::Signal { signal: name.to_owned() };
    let promql = Subject::Promql { expr: "up == 0".to_owned() };
    let rules = [
        rule("Cpu", signal("db-cpu"), 0),
        rule("Gone", signal("gone"), 0),
        Rule { threshold: None, ..rule("Up", promql, 0) },
        Rule {
            threshold: Some(Threshold { comparison: Comparison::Below, value: 1.0 }),
            ..rule("Reachable", Subject::Reachable, 0)
        },
    ];
    let mut evaluator = Evaluator::new(rules, &strategy, EvaluatorOptions::default());
    assert_eq!(evaluator.needs().queries, [("Up".to_owned(), "up == 0".to_owned())]);
    let mut seen = snapshot(exact(0.9), &[]);
    let info = |health| SourceStatus {
        source: SourceId::Info,
        health,
        since: Timestamp(0),
        detail: "connection refused".to_owned(),
        remedy: String::new(),
    };
    seen.sources = vec![info(SourceHealth::Ok)];
    let job = AlertLabels::from([("job".to_owned(), "api".to_owned())]);
    let inputs = Inputs::new().snapshot(&seen).query("Up", Ok(vec![(job, 0.0)]));
    let fired = |transitions: Vec<Transition>| -> Vec<String> {
        transitions.into_iter().map(|transition| transition.alert.rule).collect()
    };
    assert_eq!(fired(evaluator.evaluate(Timestamp::from_seconds(0), &inputs)), ["Cpu", "Up"]);
    seen.sources = vec![info(SourceHealth::Failed)];
    let inputs = Inputs::new().snapshot(&seen).query("Up", Err("the server rejects it".to_owned()));
    assert_eq!(fired(evaluator.evaluate(Timestamp::from_seconds(15), &inputs)), ["Reachable"]);
    let statuses = evaluator.statuses();
    let health: Vec<_> = statuses.iter().map(|status| status.health).collect();
    assert_eq!(health, [RuleHealth::Ok, RuleHealth::NoData, RuleHealth::Error, RuleHealth::Ok]);
    assert_eq!(statuses[2].detail, "the server rejects it");
    assert_eq!(statuses[2].alerts[0].state, Firing, "an error leaves the alert as it was");
    let inputs = Inputs::new().signal_error("db-cpu", "the server rejects it").reachable(Ok(()));
    assert_eq!(
        fired(evaluator.evaluate(Timestamp::from_seconds(30), &inputs)),
        ["Up", "Reachable"],
        "no answer is no data"
    );
    assert_eq!(evaluator.statuses()[0].health, RuleHealth::Error);
}

#[test]
fn after_a_restart_the_time_without_evaluations_does_not_count_and_is_shown() {
    let strategy = strategy();
    let low = snapshot(exact(0.7), &[]);
    for (hold, active, down, fires_after, why) in [
        (1_800, 300, 120, 1_500, "what was left of `for` is still left"),
        (1_800, 1_500, 120, 600, "at least ten minutes pass after the restart"),
        (300, 200, 120, 300, "a `for` below ten minutes is waited for anew"),
        (1_800, 300, 3_601, 1_800, "after more than an hour everything begins anew"),
    ] {
        let mut evaluator =
            Evaluator::new([rule("Low", instance(), hold)], &strategy, EvaluatorOptions::default());
        step(&mut evaluator, 0, &low);
        step(&mut evaluator, active, &low);
        let saved = evaluator.save();
        let mut after =
            Evaluator::new([rule("Low", instance(), hold)], &strategy, EvaluatorOptions::default());
        assert_eq!(after.restore(saved), []);
        let begin = active + down;
        step(&mut after, begin, &low);
        assert_eq!(after.gaps().len(), 1, "{why}");
        assert_eq!(step(&mut after, begin + fires_after - 1, &low), [], "{why}");
        assert_eq!(step(&mut after, begin + fires_after, &low), [(Pending, Firing)], "{why}");
    }
}

#[test]
fn what_fires_goes_on_over_a_restart_and_is_resolved_where_it_is_no_longer_past() {
    let strategy = strategy();
    let new = || Evaluator::new([rule("Low", instance(), 300)], &strategy, EvaluatorOptions::default());
    let (low, fine) = (snapshot(exact(0.7), &[]), snapshot(exact(0.9), &[]));
    let mut before = new();
    step(&mut before, 0, &low);
    step(&mut before, 300, &low);
    let saved = before.save();
    let mut after = new();
    after.restore(saved.clone());
    assert_eq!(step(&mut after, 900, &low), []);
    let alert = after.alerts().next().expect("it fires").1.clone();
    assert_eq!((alert.state, alert.fired_at), (Firing, Some(Timestamp::from_seconds(300))));
    assert_eq!(
        alert.gap.map(|gap| (gap.from, gap.to)),
        Some((Timestamp::from_seconds(300), Timestamp::from_seconds(900)))
    );
    let mut after = new();
    after.restore(saved.clone());
    assert_eq!(step(&mut after, 900, &fine), [(Firing, Resolved)]);
    let mut after = new();
    after.restore(saved.clone());
    assert_eq!(
        step(&mut after, 3_901, &low),
        [(Firing, Resolved), (Resolved, Pending)],
        "after more than an hour"
    );
    let mut other = Evaluator::new([rule("Other", instance(), 0)], &strategy, EvaluatorOptions::default());
    assert_eq!(other.restore(saved).len(), 1, "alerts of a rule that is gone are given back");
}

#[test]
fn a_sleep_is_a_gap_and_a_late_evaluation_is_none() {
    let strategy = strategy();
    let low = snapshot(exact(0.7), &[]);
    let options = EvaluatorOptions { gap_after: Some(seconds(45)) };
    let mut evaluator = Evaluator::new([rule("Low", instance(), 60)], &strategy, options);
    step(&mut evaluator, 0, &low);
    step(&mut evaluator, 45, &low);
    assert_eq!(evaluator.gaps(), []);
    assert_eq!(step(&mut evaluator, 600, &low), [], "the sleep does not count");
    assert_eq!(evaluator.gaps().len(), 1);
    assert_eq!(step(&mut evaluator, 640, &low), []);
    assert_eq!(step(&mut evaluator, 660, &low), [(Pending, Firing)]);
    assert_eq!(step(&mut evaluator, 600, &low), [], "time that goes back changes nothing");
}

#[test]
fn other_rules_keep_the_alerts_of_those_that_judge_the_same() {
    let strategy = strategy();
    let low = snapshot(exact(0.7), &[]);
    let mut evaluator = Evaluator::new(
        [rule("Low", instance(), 0), rule("Old", instance(), 0)],
        &strategy,
        EvaluatorOptions::default(),
    );
    step(&mut evaluator, 0, &low);
    let changed = Rule { severity: Severity::Critical, ..rule("Low", instance(), 0) };
    let other = Rule {
        threshold: Some(Threshold { comparison: Comparison::Below, value: 0.75 }),
        ..rule("Old", instance(), 0)
    };
    evaluator.replace([changed, other], &strategy);
    let left: Vec<&str> = evaluator.alerts().map(|(rule, _)| rule.name.as_str()).collect();
    assert_eq!(left, ["Low"]);
}

proptest! {
    #[test]
    fn an_alert_fires_only_after_its_time_and_every_change_is_told(
        past in proptest::collection::vec(any::<Option<bool>>(), 1..60),
        hold in 0u64..120,
        keep_firing in 0u64..120,
    ) {
        let mut machine = AlertMachine::default();
        let times = Times { hold: seconds(hold), keep_firing: seconds(keep_firing) };
        let mut told = Inactive;
        for (place, past) in (0i64..).zip(&past) {
            let at = Timestamp::from_seconds(place * 15);
            let sample = past.map(|certain| Past {
                sample: Sample::exact(AlertLabels::new(), 1.0),
                doubt: (!certain).then(|| "uncertain".to_owned()),
            });
            let transitions = machine
                .step("Rule", times, at, sample.into_iter().collect(), |_| String::new())
                .expect("one figure has no double");
            for transition in transitions {
                prop_assert_eq!(transition.from, told);
                told = transition.to;
            }
            let alert = machine.alerts().next();
            prop_assert_eq!(alert.map_or(Inactive, |alert| alert.state), told);
            if let Some(alert) = alert.filter(|alert| alert.fired_at == Some(at)) {
                prop_assert_eq!(past, &Some(true));
                prop_assert!(at.seconds_since(alert.active_at) >= hold as f64);
            }
        }
    }
}
