//! What an alert is about, from the figures around its beginning.
//!
//! The figures since the onset are compared with those of up to ten minutes before it: who carries the difference,
//! and why. `docs/triage.md` says how each part is computed and where it ends. What can't be told is left out.
//!
//! - `onset`: since when the figures are out of the ordinary
//! - `shares`: which namespaces, tenants and causes carry the change
//! - `signs`: many keys that ran out at once, memory, a new version
//! - `sentence`: all of it in plain words; [`words`](figure): figures in words

mod compared;
mod onset;
mod sentence;
mod shares;
mod signs;
mod words;

use cachescope_model::alert::Alert;
use cachescope_model::alert::label::NAMESPACE;
use cachescope_model::marks::Mark;
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::strategy::{Rule, Strategy, Subject};
use cachescope_model::time::Timestamp;
use cachescope_model::triage::{MissCause, Triage};

use crate::engine::Engine;
pub use compared::Compared;
pub use words::figure;

/// A mark this long before the onset may have to do with it.
const NEAR_BEFORE_MILLIS: i64 = 600_000;
/// A mark after the onset too: a script sets its mark when it is done.
const NEAR_AFTER_MILLIS: i64 = 120_000;
/// Marks that are named.
const MOST_NEAR: usize = 5;
/// What is compared reaches back this far from now at most: an alert of yesterday is explained by today's figures.
const LONGEST_NOW_MILLIS: i64 = 900_000;
/// Where nothing grew, or nothing is known of before, misses of so long are told by cause.
const ALONE_MILLIS: i64 = 60_000;
/// Less than this says nothing.
const SHORTEST_NOW_MILLIS: i64 = 10_000;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Its alert.
    pub alert: &'a Alert,
    /// When it is asked.
    pub now: Timestamp,
    /// Marks that may matter; those far from the onset are left out.
    pub marks: &'a [Mark],
}

/// What a change is a change of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drive {
    Misses,
    Evictions,
    Memory,
    /// Of this reading.
    Latency(R),
    /// A signal or a query: the misses are looked at for a connection.
    Elsewhere,
    /// There is nothing to compare: the cache does not answer, or another layer than Redis is meant.
    Nothing,
}

impl Drive {
    fn of(rule: &Rule) -> Self {
        match (&rule.subject, rule.subject.reading()) {
            (Subject::Reachable | Subject::Layer { .. }, _) => Self::Nothing,
            (_, Some(R::HitRate | R::MissesPerSecond)) => Self::Misses,
            (_, Some(R::EvictionsPerSecond | R::EvictionRatio)) => Self::Evictions,
            (_, Some(R::MemoryRatio | R::MemoryBytes | R::Keys)) => Self::Memory,
            (_, Some(kind)) if is_time(kind) => Self::Latency(kind),
            _ => Self::Elsewhere,
        }
    }

    /// The reading whose course shows the onset.
    fn reading(self) -> Option<R> {
        match self {
            Self::Misses | Self::Elsewhere => Some(R::MissesPerSecond),
            Self::Evictions => Some(R::EvictionsPerSecond),
            Self::Memory => Some(R::MemoryRatio),
            Self::Latency(kind) => Some(kind),
            Self::Nothing => None,
        }
    }
}

/// Whether a reading is how long lookups take, for a client or inside the server.
fn is_time(kind: R) -> bool {
    matches!(
        kind,
        R::LatencyMeanSeconds
            | R::LatencyP50Seconds
            | R::LatencyP95Seconds
            | R::LatencyP99Seconds
            | R::ExecutionMeanSeconds
            | R::ExecutionP50Seconds
            | R::ExecutionP95Seconds
            | R::ExecutionP99Seconds
    )
}

/// Two spans of time that are compared, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spans {
    before_from: i64,
    before_to: i64,
    now_from: i64,
    now_to: i64,
}

impl Engine {
    /// What an alert is about. Nothing is changed. Alerts of one moment share what is `compared`.
    #[must_use]
    pub fn triage(&self, question: &Question<'_>, compared: &mut Compared) -> Triage {
        let Question { rule, alert, now, marks } = *question;
        let drive = Drive::of(rule);
        let about = self.about(alert);
        let onset = self.onset(drive, rule, alert, about.as_deref(), now);
        let began = onset.unwrap_or(alert.active_at);
        let spans = self.spans(drive, about.as_deref(), began, now);
        let mut triage = self.bare(question, onset);
        if let Some(spans) = spans {
            triage.before = self.before(rule, about.as_deref(), spans);
            self.share_out(&mut triage, drive, about.as_deref(), spans, compared);
            self.read_signs(&mut triage, drive, about.as_deref(), spans, now, compared);
        }
        if drive == Drive::Misses && triage.causes.is_empty() {
            // Nothing is known of before, or it was no better: then this much is told.
            triage.causes = self.causes_of_all(about.as_deref(), now);
            triage.causes_of_all = !triage.causes.is_empty();
        }
        triage.near = near(marks, began);
        triage.warm_plans = warm_plans(&self.strategy, rule, &triage);
        triage.sentence = sentence::of(self, question, drive, &triage);
        triage
    }

    /// The template that an alert is about.
    fn about(&self, alert: &Alert) -> Option<String> {
        let name = alert.labels.get(NAMESPACE)?;
        let documented = self.strategy.namespace(name);
        Some(documented.map_or_else(|| name.clone(), |it| it.template.as_str().to_owned()))
    }

    fn bare(&self, question: &Question<'_>, onset: Option<Timestamp>) -> Triage {
        let Question { rule, alert, now, .. } = *question;
        let unit = match &rule.subject {
            Subject::Signal { signal } => {
                self.strategy.signals.iter().find(|known| known.name == *signal).map(|known| known.unit)
            }
            subject => subject.reading().map(|kind| kind.spec().unit),
        };
        Triage {
            sentence: String::new(),
            at: now,
            onset,
            subject: sentence::judged(&self.strategy, rule),
            value: alert.value.filter(|value| value.is_finite()),
            before: None,
            threshold: rule.threshold.map(|threshold| threshold.value),
            unit,
            carried: String::new(),
            carried_unit: None,
            carriers: Vec::new(),
            tenants: Vec::new(),
            causes: Vec::new(),
            causes_of_all: false,
            memory: None,
            ttl_cliff: None,
            grown: None,
            new_version: None,
            near: Vec::new(),
            advice: rule.action.clone(),
            playbooks: rule.playbook.iter().cloned().collect(),
            warm_plans: Vec::new(),
        }
    }

    /// What the rule judges, before the onset.
    fn before(&self, rule: &Rule, about: Option<&str>, spans: Spans) -> Option<f64> {
        let kind = match &rule.subject {
            Subject::Instance { reading } | Subject::Namespaces { reading, .. } => *reading,
            _ => return None,
        };
        self.average(about, kind, spans.before_from, spans.before_to)
    }
}

/// The marks around the onset, the nearest first.
fn near(marks: &[Mark], began: Timestamp) -> Vec<Mark> {
    let distance = |mark: &Mark| mark.at.millis() - began.millis();
    let is_near = |mark: &&Mark| (-NEAR_BEFORE_MILLIS..=NEAR_AFTER_MILLIS).contains(&distance(mark));
    let mut near: Vec<Mark> = marks.iter().filter(is_near).cloned().collect();
    near.sort_by_key(|mark| distance(mark).abs());
    near.truncate(MOST_NEAR);
    near
}

/// The rule's own warm plan, and those that fill the namespaces which carry extra misses.
fn warm_plans(strategy: &Strategy, rule: &Rule, triage: &Triage) -> Vec<String> {
    let mut plans: Vec<String> = rule.warm.iter().cloned().collect();
    // What memory is too small for, or what nobody asked for before, no warming helps.
    let helps = |cause: MissCause| {
        matches!(cause, MissCause::Deleted | MissCause::Flushed | MissCause::Expired | MissCause::Cold)
    };
    let main = triage.causes.first().map(|share| share.cause);
    if triage.carried != shares::EXTRA_MISSES || !main.is_none_or(helps) {
        return plans;
    }
    let carriers: Vec<&str> = triage
        .carriers
        .iter()
        .filter(|carrier| carrier.share >= 0.2)
        .filter_map(|carrier| {
            let known = strategy.namespaces.iter().find(|it| it.template.as_str() == carrier.namespace);
            known.map(|known| known.name.as_str())
        })
        .collect();
    for plan in strategy.warm_plans.iter().filter(|plan| !plan.planned) {
        let fills = plan.items.iter().flat_map(|item| &item.namespaces);
        let mut fills = fills.filter(|name| carriers.contains(&name.as_str()));
        if fills.next().is_some() && !plans.contains(&plan.name) {
            plans.push(plan.name.clone());
        }
    }
    plans
}
