//! An hour of ordinary traffic, played fast, under the rules of every built-in strategy.

use std::collections::BTreeSet;
use std::time::Duration;

use cachescope_engine::rules::{Evaluator, EvaluatorOptions, Inputs};
use cachescope_model::alert::AlertState;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::strategy::{Strategy, Subject};

use crate::support::{Run, at, info};

/// Numbers that look like chance and are the same every time (a linear congruential generator).
struct Chance(u64);

impl Chance {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }
}

/// Names of the rules that fired within an hour in which this share of the lookups misses, give or take.
fn fired(strategy: &Strategy, miss_share: f64) -> BTreeSet<String> {
    let mut run = Run::new(strategy);
    let options = EvaluatorOptions { gap_after: Some(Duration::from_secs(60)) };
    let mut evaluator = Evaluator::for_strategy(strategy, options);
    let mut chance = Chance(7);
    let labels: Vec<String> =
        strategy.namespaces.iter().map(|it| it.metric_labels.first().unwrap_or(&it.name).clone()).collect();
    let mut counted = vec![(0_u64, 0_u64); labels.len()];
    let mut fired = BTreeSet::new();
    for step in 0..=720_u64 {
        let seconds = (step * 5) as f64;
        let mut lines = Vec::new();
        for (label, (hits, misses)) in labels.iter().zip(&mut counted) {
            // Some namespaces are asked ten times as much as others, and all of them by bursts.
            let lookups = (200.0 + 2_000.0 * chance.next()) as u64;
            let missed = (lookups as f64 * miss_share * (0.5 + chance.next())) as u64;
            *hits += lookups - missed;
            *misses += missed;
            lines.push(format!("cache_hits_total{{layer=redis,type={label}}} {hits}"));
            lines.push(format!("cache_misses_total{{layer=redis,type={label}}} {misses}"));
        }
        let (hits, misses) =
            counted.iter().fold((0, 0), |sum, (hits, misses)| (sum.0 + hits, sum.1 + misses));
        let mut told = info(100 + step * 5, hits, misses);
        // Memory goes up and down between 50 and 70 %.
        told.used_memory = 2_000_000 + (800_000.0 * chance.next()) as u64;
        told.expired_keys = step * 40;
        run.info(seconds, told);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        run.page(seconds, &lines);
        run.engine.advance(at(seconds));
        let needs = evaluator.needs();
        let snapshots: Vec<_> = needs.windows.iter().map(|window| run.snapshot(seconds, *window)).collect();
        let inputs = snapshots.iter().fold(Inputs::new(), |inputs, snapshot| inputs.snapshot(snapshot));
        for transition in evaluator.evaluate(at(seconds), &inputs.reachable(Ok(()))) {
            if transition.to == AlertState::Firing {
                fired.insert(transition.alert.rule);
            }
        }
    }
    fired
}

#[test]
fn an_hour_of_ordinary_traffic_fires_nothing_and_an_hour_of_misses_does() {
    let mut judged = 0;
    for name in cachescope_strategy::BUILT_IN.iter().map(|built_in| built_in.name) {
        let strategy = cachescope_strategy::built_in(name).expect("it is built in");
        assert_eq!(fired(&strategy, 0.004), BTreeSet::new(), "{name}");
        // What judges some namespaces or signals alone has nothing to judge in this hour.
        let whole = Subject::Instance { reading: ReadingKind::HitRate };
        if strategy.rules.iter().any(|rule| rule.subject == whole) {
            assert!(
                !fired(&strategy, 0.5).is_empty(),
                "{name}: the same hour with half of the lookups missing"
            );
            judged += 1;
        }
    }
    assert!(judged >= 3, "{judged} strategies judge the whole cache's hit rate");
}
