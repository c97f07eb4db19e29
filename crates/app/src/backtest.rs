//! When a strategy's rules would have fired, over what a Prometheus server or a series file recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use cachescope_engine::rules::Sample;
use cachescope_engine::rules::machine::Times;
use cachescope_model::alert::AlertLabels;
use cachescope_model::reading_kind::Unit;
use cachescope_model::strategy::{Rule, Strategy, Subject, Threshold};
use cachescope_model::time::Timestamp;
use cachescope_rules::backtest::{Recorded, Trial, Tried, neighbours, try_out};
use cachescope_rules::promql::{Operator, evaluate};
use cachescope_rules::replay::alert_labels;
use cachescope_rules::series::SeriesTest;
use cachescope_rules::{AlertingRule, LeftOut};
use cachescope_sources::error::SourceError;
use cachescope_sources::prometheus::query::PrometheusClient;
use serde::Serialize;

use crate::wire::{WireError, WireErrorCode};

/// Evaluations of one query; Prometheus answers at most 11,000.
const CHUNK: u64 = 5_000;
/// Evaluations of one backtest.
const MOST_EVALUATIONS: u64 = 500_000;

/// What one rule would have said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Backtest {
    /// The rule's name.
    pub rule: String,
    /// With its own threshold first, or with the one asked about, and with others around it.
    pub tried: Vec<Tried>,
    /// Evaluations without a figure.
    pub without_data: usize,
    /// All evaluations.
    pub evaluations: usize,
}

/// Where figures were recorded.
pub enum Recording<'a> {
    /// A Prometheus server, from one time to another.
    Prometheus(&'a PrometheusClient, Timestamp, Timestamp),
    /// Series of a file.
    Series(&'a SeriesTest),
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// One rule alone.
    pub rule: Option<&'a str>,
    /// Another threshold than the rule's own.
    pub threshold: Option<f64>,
    /// From one evaluation to the next.
    pub interval: Duration,
}

/// Tries every rule, or the one asked about.
///
/// # Errors
/// When there is no such rule, the time is too long, or the server can't be reached. A rule that can't be tried is
/// among those left out.
pub async fn backtest(
    strategy: &Strategy,
    recording: &Recording<'_>,
    question: Question<'_>,
) -> Result<(Vec<Backtest>, Vec<LeftOut>), WireError> {
    let asked: Vec<&Rule> =
        strategy.rules.iter().filter(|rule| question.rule.is_none_or(|name| name == rule.name)).collect();
    if let (Some(name), true) = (question.rule, asked.is_empty()) {
        let names: Vec<&str> = strategy.rules.iter().map(|rule| rule.name.as_str()).collect();
        return Err(WireError::new(WireErrorCode::BadInput, format!("the strategy has no rule {name:?}"))
            .with_remedy(format!("write one of {}", names.join(", "))));
    }
    let (mut done, mut left_out) = (Vec::new(), Vec::new());
    for rule in asked {
        let written = match cachescope_rules::written::write(strategy, rule) {
            Ok(written) => written,
            Err(reason) => {
                left_out.push(LeftOut { rule: rule.name.clone(), reason });
                continue;
            }
        };
        match recorded(&written, recording, question.interval).await? {
            Ok(recorded) => done.push(tried(strategy, rule, question, &recorded)),
            Err(reason) => left_out.push(LeftOut { rule: rule.name.clone(), reason }),
        }
    }
    Ok((done, left_out))
}

/// Judges what was recorded, whoever recorded it, with the rule's threshold and others around it.
#[must_use]
pub fn tried(
    strategy: &Strategy,
    rule: &Rule,
    question: Question<'_>,
    recorded: &BTreeMap<Timestamp, Recorded>,
) -> Backtest {
    let unit = match &rule.subject {
        Subject::Signal { signal } => strategy.signal(signal).map_or(Unit::Count, |signal| signal.unit),
        subject => subject.reading().map_or(Unit::Count, |reading| reading.spec().unit),
    };
    let first = rule.threshold.map(|own| Threshold { value: question.threshold.unwrap_or(own.value), ..own });
    let others = first.map(|first| neighbours(first, unit)).unwrap_or_default();
    let mut thresholds = vec![first];
    thresholds.extend(rule.threshold.filter(|own| first != Some(*own)).map(Some));
    for other in others.into_iter().map(Some) {
        if !thresholds.contains(&other) {
            thresholds.push(other);
        }
    }
    let tried = thresholds.into_iter().map(|threshold| {
        let trial = Trial {
            threshold,
            own: threshold == rule.threshold,
            times: Times::from(rule),
            minimum_lookups: 0,
            interval: question.interval,
        };
        try_out(&rule.name, trial, recorded.iter().map(|(at, figures)| (*at, figures)))
    });
    let nothing = |figures: &&Recorded| figures.as_ref().is_ok_and(|samples| samples.iter().all(is_nothing));
    Backtest {
        rule: rule.name.clone(),
        tried: tried.collect(),
        without_data: recorded.values().filter(nothing).count(),
        evaluations: recorded.len(),
    }
}

fn is_nothing(sample: &Sample) -> bool {
    sample.value.is_none_or(f64::is_nan)
}

/// The figures of a rule at every evaluation; the inner error says why they can't be had.
async fn recorded(
    rules: &[AlertingRule],
    recording: &Recording<'_>,
    interval: Duration,
) -> Result<Result<BTreeMap<Timestamp, Recorded>, String>, WireError> {
    let step = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let (from, to) = match recording {
        Recording::Prometheus(_, from, to) => (*from, *to),
        Recording::Series(test) => {
            (Timestamp(0), Timestamp(i64::try_from(test.until.as_millis()).unwrap_or(i64::MAX)))
        }
    };
    let evaluations = to.millis().saturating_sub(from.millis()).max(0) / step + 1;
    if evaluations.unsigned_abs() > MOST_EVALUATIONS {
        let sentence = format!("that takes {evaluations} evaluations; at most {MOST_EVALUATIONS} are made");
        return Err(WireError::new(WireErrorCode::BadInput, sentence)
            .with_remedy("choose a shorter time or a longer interval"));
    }
    let mut recorded: BTreeMap<Timestamp, Recorded> =
        (0..evaluations).map(|number| (from.plus_millis(number * step), Ok(Vec::new()))).collect();
    for rule in rules {
        // What has too few lookups is no data with every threshold.
        let value = match &rule.guard {
            Some(guard) => rule.value.clone().with(Operator::And, guard.clone()),
            None => rule.value.clone(),
        };
        match recording {
            Recording::Series(test) => {
                if let Some(text) = value.foreign() {
                    return Ok(Err(format!("`{text}` is left to a Prometheus server")));
                }
                for (at, figures) in &mut recorded {
                    let Ok(samples) = figures else { continue };
                    match evaluate(&value, &test.storage, *at)
                        .and_then(cachescope_rules::promql::eval::vector)
                    {
                        Ok(elements) => samples
                            .extend(elements.into_iter().map(|(labels, value)| sample(labels, value, rule))),
                        Err(why) => *figures = Err(why),
                    }
                }
            }
            Recording::Prometheus(client, ..) => {
                match ask(client, &value.to_string(), (from, to), interval, rule, &mut recorded).await {
                    Ok(()) => {}
                    Err(error) if is_refusal(&error) => return Ok(Err(error.to_string())),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(Ok(recorded))
}

/// Whether the server answered and did not like the query.
fn is_refusal(error: &SourceError) -> bool {
    WireError::from(error.clone()).code != WireErrorCode::Unreachable
}

fn sample(labels: AlertLabels, value: f64, rule: &AlertingRule) -> Sample {
    Sample::exact(alert_labels(labels, &rule.labels), value)
}

async fn ask(
    client: &PrometheusClient,
    query: &str,
    (from, to): (Timestamp, Timestamp),
    interval: Duration,
    rule: &AlertingRule,
    recorded: &mut BTreeMap<Timestamp, Recorded>,
) -> Result<(), SourceError> {
    let step = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let chunk = step.saturating_mul(CHUNK.cast_signed());
    let mut begin = from;
    while begin <= to {
        let end = begin.plus_millis(chunk - step).min(to);
        for series in client.range(query, begin, end, interval).await?.value {
            let labels: AlertLabels = series.labels.into_iter().collect();
            for (at, value) in series.points {
                if let Some(Ok(samples)) = recorded.get_mut(&at) {
                    samples.push(sample(labels.clone(), value, rule));
                }
            }
        }
        begin = begin.plus_millis(chunk);
    }
    Ok(())
}
