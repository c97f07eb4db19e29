//! What a session knows that an action needs: reads by namespace, and what halts a run.

use std::sync::{Arc, Weak};

use cachescope_actions::plan::Plan;
use cachescope_actions::reads::{NamespaceReads, Reads};
use cachescope_actions::run::StopRules;
use cachescope_actions::run_state::StopRuleState;
use cachescope_model::reading::{Certainty, Reading};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::NamespaceSnapshot;
use cachescope_model::strategy::{Rule, Severity, Subject, Threshold};
use cachescope_model::window::Window;

use crate::session::Session;

/// Reads by namespace over the last minute; `None` where the session knows none.
pub(super) fn reads(session: &Session) -> Option<Reads> {
    let snapshot = session.snapshot(Window::OneMinute);
    let of = |row: &NamespaceSnapshot, kind: ReadingKind| {
        row.readings.get(&kind).unwrap_or_else(|| Reading::unavailable("not measured"))
    };
    let of_all = |kind: ReadingKind| snapshot.instance.get(&kind).and_then(|reading| reading.value);
    let namespaces: std::collections::BTreeMap<_, _> = snapshot
        .namespaces
        .iter()
        .map(|row| {
            let reads = NamespaceReads {
                lookups_per_second: of(row, ReadingKind::LookupsPerSecond),
                hit_rate: of(row, ReadingKind::HitRate),
                keys: of(row, ReadingKind::Keys).value,
            };
            (row.namespace.clone(), reads)
        })
        .filter(|(_, reads)| reads.lookups_per_second.value.is_some())
        .collect();
    let all_per_second = of_all(ReadingKind::LookupsPerSecond);
    let all_hit_rate = of_all(ReadingKind::HitRate);
    (!namespaces.is_empty() || all_per_second.is_some()).then_some(Reads {
        namespaces,
        all_per_second,
        all_hit_rate,
    })
}

/// The strategy's critical rules, judged on the session's present figures. Alone they halt at once, without their
/// `for`: while keys are being removed, waiting ten minutes is no option.
pub(super) struct SessionRules {
    session: Weak<Session>,
    remedies: Remedies,
}

impl SessionRules {
    /// Those that halt this plan.
    pub(super) fn of(session: &Arc<Session>, plan: &Plan) -> Self {
        Self { session: Arc::downgrade(session), remedies: Remedies::of(plan) }
    }
}

/// Which figures a plan makes better. Where they are bad that is a reason for it and not against it: a rule that says that
/// too much is missed must not keep anybody from the warm that it asks for itself, nor one on memory from a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedies {
    /// It fills, and touches nothing that is there. One that does not help is halted by its own rule.
    Misses,
    /// It removes, and does nothing else.
    Memory,
    /// Anything else, and whatever mixes both.
    Nothing,
}

impl Remedies {
    fn of(plan: &Plan) -> Self {
        match (plan.only_warms(), plan.only_removes()) {
            (true, _) => Self::Misses,
            (_, true) => Self::Memory,
            _ => Self::Nothing,
        }
    }

    fn improves(self, subject: &Subject) -> bool {
        let (Subject::Instance { reading } | Subject::Namespaces { reading, .. }) = subject else {
            return false;
        };
        match self {
            Self::Misses => matches!(reading, ReadingKind::HitRate | ReadingKind::MissesPerSecond),
            Self::Memory => matches!(
                reading,
                ReadingKind::MemoryBytes
                    | ReadingKind::MemoryRatio
                    | ReadingKind::EvictionsPerSecond
                    | ReadingKind::EvictionRatio
            ),
            Self::Nothing => false,
        }
    }
}

impl StopRules for SessionRules {
    fn judge(&self) -> Vec<StopRuleState> {
        let Some(session) = self.session.upgrade() else { return Vec::new() };
        let strategy = session.strategy();
        let halts =
            |rule: &&Rule| rule.severity == Severity::Critical && !self.remedies.improves(&rule.subject);
        let critical = strategy.rules.iter().filter(halts);
        let mut states: Vec<_> =
            critical.filter_map(|rule| Some(judge(&session, rule, rule.threshold?))).collect();
        let snapshot = session.snapshot(Window::OneMinute);
        for signal in strategy.signals.iter().filter(|signal| signal.stops_actions) {
            let Some(threshold) = signal.threshold else { continue };
            let value = snapshot.signals.get(&signal.name).copied().flatten();
            states.push(state(
                &signal.title,
                value,
                threshold,
                value.is_some_and(|value| threshold.holds(value)),
            ));
        }
        states
    }

    fn hit_rate(&self, namespaces: &[String]) -> Option<f64> {
        let session = self.session.upgrade()?;
        let snapshot = session.snapshot(Window::OneMinute);
        if namespaces.is_empty() {
            return snapshot.instance.get(&ReadingKind::HitRate).and_then(|reading| reading.value);
        }
        let rows = snapshot.namespaces.iter().filter(|row| namespaces.contains(&row.namespace));
        let of = |row: &NamespaceSnapshot| {
            let lookups = row.readings.value(ReadingKind::LookupsPerSecond)?;
            Some((lookups, lookups * row.readings.value(ReadingKind::HitRate)?))
        };
        let (lookups, hits) =
            rows.filter_map(of).fold((0.0, 0.0), |(all, some), (one, two)| (all + one, some + two));
        (lookups > 0.0).then_some(hits / lookups)
    }
}

fn judge(session: &Session, rule: &Rule, threshold: Threshold) -> StopRuleState {
    let snapshot = session.snapshot(rule.window);
    let known = |reading: &Reading| reading.value.is_some();
    let readings: Vec<Reading> = match &rule.subject {
        Subject::Instance { reading } => {
            snapshot.instance.get(reading).filter(|it| known(it)).cloned().into_iter().collect()
        }
        Subject::Namespaces { namespaces, reading } => {
            let named = |template: &str| {
                let own = session.strategy().namespaces.iter().find(|own| own.template.as_str() == template);
                own.is_some_and(|own| namespaces.is_empty() || namespaces.contains(&own.name))
            };
            let rows = snapshot.namespaces.iter().filter(|row| named(&row.namespace));
            rows.filter_map(|row| row.readings.get(reading).filter(known)).collect()
        }
        _ => Vec::new(),
    };
    let past = |reading: &Reading| {
        // An estimate counts when its whole interval is past, as for alerts.
        let ends = [reading.low.or(reading.value), reading.high.or(reading.value)];
        match reading.certainty {
            Certainty::Unavailable => false,
            _ => ends.into_iter().flatten().all(|end| threshold.holds(end)),
        }
    };
    let breached = readings.iter().find(|reading| past(reading));
    let value = breached.or(readings.first()).and_then(|reading| reading.value);
    let name = if rule.summary.is_empty() { &rule.name } else { &rule.summary };
    state(name, value, threshold, breached.is_some())
}

fn state(name: &str, value: Option<f64>, threshold: Threshold, breached: bool) -> StopRuleState {
    let limit = format!("halts {} {}", threshold.comparison.sign(), threshold.value);
    StopRuleState {
        name: name.to_owned(),
        sentence: value.map_or_else(|| format!("not known; {limit}"), |value| format!("{value:.4}, {limit}")),
        value,
        limit: Some(threshold.value),
        breached,
        known: value.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use cachescope_actions::plan::{Action, HowToRun, KeyName, Scope};
    use cachescope_model::deployment::DeploymentId;

    use super::*;

    #[test]
    fn a_rule_does_not_halt_what_makes_its_figure_better() {
        let scope = || Scope::Keys { keys: vec![KeyName(b"a".to_vec())], database: 0 };
        let plan = |steps: Vec<Action>| Plan {
            deployment: DeploymentId("d".to_owned()),
            title: "test".to_owned(),
            steps,
            how: HowToRun::default(),
        };
        let remove = || Action::Remove { scope: scope() };
        let bump = || Action::BumpVersion { key: KeyName(b"version:a".to_vec()), database: 0 };
        let improves = |plan: &Plan, reading: ReadingKind| {
            let remedies = Remedies::of(plan);
            let all = remedies.improves(&Subject::Instance { reading });
            let some = Subject::Namespaces { namespaces: Vec::new(), reading };
            assert_eq!(all, remedies.improves(&some), "of all and of a namespace");
            all
        };
        let purge = plan(vec![remove()]);
        assert!(improves(&purge, ReadingKind::MemoryRatio) && improves(&purge, ReadingKind::EvictionRatio));
        assert!(!improves(&purge, ReadingKind::HitRate) && !improves(&purge, ReadingKind::LatencyP99Seconds));
        let mixed = plan(vec![remove(), bump()]);
        assert!(!improves(&mixed, ReadingKind::MemoryRatio) && !improves(&mixed, ReadingKind::HitRate));
    }
}
