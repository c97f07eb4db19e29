//! All rules of a deployment.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use cachescope_model::alert::{
    Alert, AlertLabels, AlertState, EvaluationGap, RuleHealth, RuleStatus, SavedAlerts, Transition,
};
use cachescope_model::strategy::{Rule, Strategy, Subject};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;

use super::inputs::Inputs;
use super::machine::{AlertMachine, Duplicate, Past, Times, whole_millis};
use super::sample::{Sample, Verdict};
use super::selection::{Names, samples};

/// Gaps that are remembered.
const MOST_GAPS: usize = 100;

/// Bounds of an evaluator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvaluatorOptions {
    /// A longer time between two evaluations is a gap, in which nothing is known: the machine slept. `None` where
    /// evaluations may lie apart, as over recorded series.
    pub gap_after: Option<Duration>,
}

/// What an evaluation wants to be handed over in [`Inputs`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Windows of snapshots.
    pub windows: BTreeSet<Window>,
    /// Namespaces (by template) whose tenants are judged, with the window.
    pub tenants: BTreeSet<(Window, String)>,
    /// Rules whose expression a Prometheus server has to answer: name and expression.
    pub queries: Vec<(String, String)>,
}

/// Judges the rules of one deployment and keeps their alerts.
#[derive(Clone, Debug, Default)]
pub struct Evaluator {
    rules: Vec<Tracked>,
    names: Names,
    options: EvaluatorOptions,
    evaluated_at: Option<Timestamp>,
    /// The alerts come from before a restart, so that the next evaluation ends an outage.
    restored: bool,
    gaps: Vec<EvaluationGap>,
}

#[derive(Clone, Debug)]
struct Tracked {
    rule: Rule,
    machine: AlertMachine,
    health: RuleHealth,
    detail: String,
    judged: u32,
    without_data: u32,
    evaluated_at: Option<Timestamp>,
}

impl Tracked {
    fn new(rule: Rule) -> Self {
        Self {
            rule,
            machine: AlertMachine::default(),
            health: RuleHealth::NoData,
            detail: "not evaluated yet".to_owned(),
            judged: 0,
            without_data: 0,
            evaluated_at: None,
        }
    }

    fn evaluate(&mut self, at: Timestamp, samples: Result<Vec<Sample>, String>) -> Vec<Transition> {
        self.evaluated_at = Some(at);
        let samples = match samples {
            Ok(samples) => samples,
            Err(why) => return self.failed(why),
        };
        let judged = count(samples.len());
        let mut past = Vec::new();
        let mut without_data: HashMap<AlertLabels, String> = HashMap::new();
        for sample in samples {
            match sample.judge(self.rule.threshold, self.rule.minimum_lookups) {
                Verdict::Past => past.push(Past { sample, doubt: None }),
                Verdict::Uncertain(doubt) => past.push(Past { sample, doubt: Some(doubt) }),
                Verdict::Clear => {}
                Verdict::NoData(why) => {
                    without_data.insert(sample.labels, why);
                }
            }
        }
        let why = |labels: &AlertLabels| match without_data.get(labels) {
            Some(why) => format!("no data: {why}"),
            None => String::new(),
        };
        match self.machine.step(&self.rule.name, Times::from(&self.rule), at, past, why) {
            Ok(transitions) => {
                (self.judged, self.without_data) = (judged, count(without_data.len()));
                let nothing = self.judged > 0 && self.without_data == self.judged;
                self.health = if nothing { RuleHealth::NoData } else { RuleHealth::Ok };
                let reasons: BTreeSet<String> =
                    if nothing { without_data.into_values().collect() } else { BTreeSet::new() };
                self.detail = reasons.into_iter().next().unwrap_or_default();
                transitions
            }
            Err(Duplicate(labels)) => {
                let labels: Vec<String> =
                    labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
                self.failed(format!(
                    "two of its figures carry the same labels {{{}}}, so that their alerts can't be told apart",
                    labels.join(", ")
                ))
            }
        }
    }

    /// An evaluation that failed leaves the alerts as they are.
    fn failed(&mut self, why: String) -> Vec<Transition> {
        (self.health, self.detail) = (RuleHealth::Error, why);
        Vec::new()
    }
}

impl Evaluator {
    /// An evaluator of these rules; `strategy` names their namespaces.
    #[must_use]
    pub fn new(
        rules: impl IntoIterator<Item = Rule>,
        strategy: &Strategy,
        options: EvaluatorOptions,
    ) -> Self {
        Self {
            rules: rules.into_iter().map(Tracked::new).collect(),
            names: Names::new(strategy),
            options,
            ..Self::default()
        }
    }

    /// An evaluator of a strategy's own rules.
    #[must_use]
    pub fn for_strategy(strategy: &Strategy, options: EvaluatorOptions) -> Self {
        Self::new(strategy.rules.iter().cloned(), strategy, options)
    }

    /// What [`evaluate`](Self::evaluate) wants to be handed over.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        let mut any_window = false;
        for Tracked { rule, .. } in &self.rules {
            match &rule.subject {
                Subject::Tenants { namespaces, .. } => {
                    let templates = self.names.tenant_templates(namespaces).into_iter();
                    needs.tenants.extend(templates.map(|template| (rule.window, template.to_owned())));
                }
                Subject::Promql { expr } => needs.queries.push((rule.name.clone(), expr.clone())),
                // The same in every snapshot: none is made for them that nobody else wants.
                Subject::Signal { .. } | Subject::Reachable => any_window = true,
                _ => {
                    needs.windows.insert(rule.window);
                }
            }
        }
        if any_window && needs.windows.is_empty() {
            needs.windows.insert(Window::default());
        }
        needs
    }

    /// Judges every rule at `at`. One that fails leaves its alerts as they are, and the others go on. A time
    /// before the last evaluation changes nothing.
    pub fn evaluate(&mut self, at: Timestamp, inputs: &Inputs<'_>) -> Vec<Transition> {
        if self.evaluated_at.is_some_and(|last| at < last) {
            return Vec::new();
        }
        let gap = self.gap_until(at);
        let mut transitions = Vec::new();
        for tracked in &mut self.rules {
            if let Some(gap) = gap {
                transitions.extend(tracked.machine.carry_over(Times::from(&tracked.rule), gap));
            }
            let samples = samples(&tracked.rule, &self.names, inputs);
            transitions.extend(tracked.evaluate(at, samples));
        }
        self.evaluated_at = Some(at);
        transitions
    }

    fn gap_until(&mut self, at: Timestamp) -> Option<EvaluationGap> {
        let from = self.evaluated_at?;
        let too_long = |after: Duration| at.millis().saturating_sub(from.millis()) > whole_millis(after);
        if !std::mem::take(&mut self.restored) && !self.options.gap_after.is_some_and(too_long) {
            return None;
        }
        let gap = EvaluationGap { from, to: at };
        if self.gaps.len() == MOST_GAPS {
            self.gaps.remove(0);
        }
        self.gaps.push(gap);
        Some(gap)
    }

    /// Every rule with its alerts, in the strategy's order.
    #[must_use]
    pub fn statuses(&self) -> Vec<RuleStatus> {
        let status = |tracked: &Tracked| RuleStatus {
            rule: tracked.rule.name.clone(),
            severity: tracked.rule.severity,
            health: tracked.health,
            detail: tracked.detail.clone(),
            evaluated_at: tracked.evaluated_at,
            judged: tracked.judged,
            without_data: tracked.without_data,
            alerts: tracked.machine.alerts().cloned().collect(),
        };
        self.rules.iter().map(status).collect()
    }

    /// Every alert that is pending, firing or resolved, with its rule.
    pub fn alerts(&self) -> impl Iterator<Item = (&Rule, &Alert)> {
        self.rules.iter().flat_map(|tracked| tracked.machine.alerts().map(|alert| (&tracked.rule, alert)))
    }

    /// The rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|tracked| &tracked.rule)
    }

    /// When rules were not evaluated, oldest first; the last hundred times.
    #[must_use]
    pub fn gaps(&self) -> &[EvaluationGap] {
        &self.gaps
    }

    /// Takes other rules. Alerts of a rule that judges the same as before stay.
    pub fn replace(&mut self, rules: impl IntoIterator<Item = Rule>, strategy: &Strategy) {
        let mut before: HashMap<String, Tracked> =
            self.rules.drain(..).map(|tracked| (tracked.rule.name.clone(), tracked)).collect();
        self.names = Names::new(strategy);
        self.rules = rules
            .into_iter()
            .map(|rule| match before.remove(&rule.name) {
                Some(known) if judges_the_same(&known.rule, &rule) => Tracked { rule, ..known },
                _ => Tracked::new(rule),
            })
            .collect();
    }

    /// What is to be kept over a restart.
    #[must_use]
    pub fn save(&self) -> SavedAlerts {
        let alerts = self.alerts().map(|(_, alert)| alert.clone()).collect();
        SavedAlerts { evaluated_at: self.evaluated_at, alerts }
    }

    /// Takes up what was kept before a restart; to be called before the first evaluation. Alerts of rules that are
    /// gone are given back, and so are all where they are newer than the evaluator's own.
    pub fn restore(&mut self, saved: SavedAlerts) -> Vec<Alert> {
        let Some(evaluated_at) = saved.evaluated_at.filter(|_| self.evaluated_at.is_none()) else {
            return saved.alerts;
        };
        let mut left = Vec::new();
        for alert in saved.alerts {
            let rule = self.rules.iter_mut().find(|tracked| tracked.rule.name == alert.rule);
            match rule {
                Some(tracked) if alert.state != AlertState::Inactive => {
                    tracked.machine.alerts.insert(alert.labels.clone(), alert);
                }
                _ => left.push(alert),
            }
        }
        (self.evaluated_at, self.restored) = (Some(evaluated_at), true);
        left
    }
}

fn judges_the_same(one: &Rule, other: &Rule) -> bool {
    (&one.subject, one.window, one.threshold) == (&other.subject, other.window, other.threshold)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
