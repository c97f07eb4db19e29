//! What a rule would have said of recorded figures, and what another threshold would have.

use std::time::Duration;

use cachescope_engine::rules::machine::{AlertMachine, Past, Times};
use cachescope_engine::rules::{Sample, Verdict};
use cachescope_model::alert::{AlertLabels, AlertState};
use cachescope_model::reading_kind::Unit;
use cachescope_model::strategy::Threshold;
use cachescope_model::time::Timestamp;
use serde::Serialize;

/// The figures that a rule judged, at one evaluation; an error leaves the alerts as they are.
pub type Recorded = Result<Vec<Sample>, String>;

/// One time that an alert fired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Episode {
    /// What it was about.
    pub labels: AlertLabels,
    /// Since when the threshold was passed.
    pub active_at: Timestamp,
    /// Since when it fired.
    pub fired_at: Timestamp,
    /// Until when; `None` where it fired to the end.
    pub resolved_at: Option<Timestamp>,
    /// How long it fired, in seconds.
    pub seconds: f64,
    /// The figure when it began to fire.
    pub value: Option<f64>,
}

/// What one threshold would have said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// The threshold; `None` where the expression compares by itself.
    pub threshold: Option<Threshold>,
    /// Whether it is the rule's own.
    pub own: bool,
    /// How often it fired.
    pub fired: usize,
    /// How often it was pending and did not come to fire.
    pub pending_only: usize,
    /// How long it fired in all, in seconds.
    pub seconds: f64,
    /// The longest time, in seconds.
    pub longest_seconds: f64,
    /// Each time that it fired.
    pub episodes: Vec<Episode>,
}

/// What is tried out.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// The rule's own threshold, or the one that is asked about.
    pub threshold: Option<Threshold>,
    /// Whether that is the rule's own.
    pub own: bool,
    /// `for` and `keep_firing_for`.
    pub times: Times,
    /// Lookups below which nothing is judged.
    pub minimum_lookups: u64,
    /// From one evaluation to the next.
    pub interval: Duration,
}

/// Judges what was recorded with one threshold.
pub fn try_out<'r>(
    rule: &str,
    trial: Trial,
    recorded: impl IntoIterator<Item = (Timestamp, &'r Recorded)>,
) -> Tried {
    let mut machine = AlertMachine::default();
    let mut tried = Tried {
        threshold: trial.threshold,
        own: trial.own,
        fired: 0,
        pending_only: 0,
        seconds: 0.0,
        longest_seconds: 0.0,
        episodes: Vec::new(),
    };
    let mut end = Timestamp(0);
    for (at, figures) in recorded {
        end = at;
        let Ok(samples) = figures else { continue };
        let past =
            samples.iter().filter_map(|sample| match sample.judge(trial.threshold, trial.minimum_lookups) {
                Verdict::Past => Some(Past { sample: sample.clone(), doubt: None }),
                Verdict::Uncertain(doubt) => Some(Past { sample: sample.clone(), doubt: Some(doubt) }),
                Verdict::Clear | Verdict::NoData(_) => None,
            });
        let stepped = machine.step(rule, trial.times, at, past.collect(), |_| String::new());
        for transition in stepped.unwrap_or_default() {
            match (transition.from, transition.to) {
                (_, AlertState::Firing) => tried.episodes.push(Episode {
                    labels: transition.alert.labels,
                    active_at: transition.alert.active_at,
                    fired_at: at,
                    resolved_at: None,
                    seconds: 0.0,
                    value: transition.alert.value,
                }),
                (AlertState::Firing, _) => {
                    let open = |episode: &&mut Episode| {
                        episode.resolved_at.is_none() && episode.labels == transition.alert.labels
                    };
                    if let Some(episode) = tried.episodes.iter_mut().rev().find(open) {
                        episode.resolved_at = Some(at);
                    }
                }
                (AlertState::Pending, AlertState::Inactive) => tried.pending_only += 1,
                _ => {}
            }
        }
    }
    for episode in &mut tried.episodes {
        let until = episode.resolved_at.unwrap_or(end.plus_millis(trial.interval.as_millis() as i64));
        episode.seconds = until.seconds_since(episode.fired_at);
        tried.seconds += episode.seconds;
        tried.longest_seconds = tried.longest_seconds.max(episode.seconds);
    }
    tried.fired = tried.episodes.len();
    tried
}

/// Thresholds around one, to see what they would have said: shares by points, everything else by factors.
#[must_use]
pub fn neighbours(threshold: Threshold, unit: Unit) -> Vec<Threshold> {
    let tidy = |value: f64| (value * 1e9).round() / 1e9;
    let values: Vec<f64> = match unit {
        Unit::Ratio => [-0.1, -0.05, -0.02, 0.0, 0.02, 0.05, 0.1]
            .into_iter()
            .map(|points| threshold.value + points)
            .filter(|value| (0.0..=1.0).contains(&tidy(*value)))
            .collect(),
        _ if threshold.value == 0.0 => vec![0.0, 1.0, 10.0],
        _ => [0.5, 0.75, 1.0, 1.5, 2.0].into_iter().map(|factor| threshold.value * factor).collect(),
    };
    values.into_iter().map(|value| Threshold { value: tidy(value), ..threshold }).collect()
}

#[cfg(test)]
mod tests {
    use cachescope_model::strategy::Comparison;

    use super::*;

    fn trial(value: f64) -> Trial {
        Trial {
            threshold: Some(Threshold { comparison: Comparison::Below, value }),
            own: true,
            times: Times { hold: Duration::from_secs(60), keep_firing: Duration::ZERO },
            minimum_lookups: 0,
            interval: Duration::from_secs(60),
        }
    }

    #[test]
    fn each_time_that_it_would_have_fired_is_told_with_its_length() {
        let values = [0.9, 0.7, 0.7, 0.7, 0.9, 0.75, 0.9, 0.6, 0.6];
        let recorded: Vec<(Timestamp, Recorded)> = (0..)
            .map(|minute| Timestamp::from_seconds(minute * 60))
            .zip(values.map(|value| Ok(vec![Sample::exact(AlertLabels::new(), value)])))
            .collect();
        let tried =
            |limit| try_out("LowHitRate", trial(limit), recorded.iter().map(|(at, figures)| (*at, figures)));
        let own = tried(0.8);
        assert_eq!((own.fired, own.pending_only), (2, 1));
        assert_eq!((own.seconds, own.longest_seconds), (180.0, 120.0));
        assert_eq!(own.episodes[0].resolved_at, Some(Timestamp::from_seconds(240)));
        assert_eq!(own.episodes[1].resolved_at, None, "it fires to the end");
        assert_eq!(tried(0.65).fired, 1);
        assert_eq!(tried(0.5).fired, 0);
    }

    #[test]
    fn neighbours_of_a_share_stay_shares() {
        let around = |value, unit| -> Vec<f64> {
            let threshold = Threshold { comparison: Comparison::Below, value };
            neighbours(threshold, unit).iter().map(|threshold| threshold.value).collect()
        };
        assert_eq!(around(0.95, Unit::Ratio), [0.85, 0.9, 0.93, 0.95, 0.97, 1.0]);
        assert_eq!(around(0.01, Unit::Seconds), [0.005, 0.0075, 0.01, 0.015, 0.02]);
    }
}
