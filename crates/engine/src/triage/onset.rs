//! Since when figures are out of the ordinary.

use cachescope_model::alert::Alert;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::strategy::Rule;
use cachescope_model::time::Timestamp;

use super::{Drive, LONGEST_NOW_MILLIS, SHORTEST_NOW_MILLIS, Spans};
use crate::engine::Engine;
use crate::history::{HistoryQuery, Slice};

/// The engine's finest resolution reaches back this far.
const FINE_MILLIS: i64 = 100_000;
/// Before the earliest onset, so that there is something to tell it from.
const CONTEXT_MILLIS: i64 = 180_000;
/// Points of the ordinary and of the change that are needed.
const LEAST_POINTS: usize = 2;
/// What comes after must be this many times what was before.
const LEAST_RISE: f64 = 1.25;
/// Baselines that are tried, longest first: watching may have begun lately.
const BASELINES: [i64; 5] = [600_000, 300_000, 120_000, 60_000, 20_000];

impl Engine {
    /// When the driving figure began to rise; `None` where that can't be told.
    pub(super) fn onset(
        &self,
        drive: Drive,
        rule: &Rule,
        alert: &Alert,
        about: Option<&str>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let kind = drive.reading()?;
        let window = i64::from(rule.window.seconds()) * 1000;
        let active = alert.active_at.millis();
        // The window was full of trouble at the latest when the threshold was passed; it may have begun a
        // window's length before.
        let earliest = active - window.min(LONGEST_NOW_MILLIS);
        let from = earliest - CONTEXT_MILLIS;
        let step = if now.millis() - from <= FINE_MILLIS { 2_000 } else { 10_000 };
        // On one grid for all alerts, so that those of one cause begin at one time and are compared once.
        let to = now.millis().min(active + 60_000).div_euclid(step) * step;
        let points = usize::try_from((to - from) / step).ok().filter(|points| *points >= 2 * LEAST_POINTS)?;
        let series = self.history(&HistoryQuery {
            namespace: about.map(str::to_owned),
            kind,
            from: Timestamp(to - points as i64 * step),
            to: Timestamp(to),
            points,
        });
        let known: Vec<(i64, f64)> =
            series.iter().filter_map(|point| Some((point.at.millis() - step, point.value?))).collect();
        rise(&known, earliest - 2 * step, active + step).map(Timestamp)
    }

    /// What is compared: up to ten minutes before the beginning with what came after. `None` where nothing was
    /// known before.
    pub(super) fn spans(
        &self,
        drive: Drive,
        about: Option<&str>,
        began: Timestamp,
        now: Timestamp,
    ) -> Option<Spans> {
        let kind = drive.reading()?;
        let now_to = now.millis();
        let now_from = began.millis().max(now_to - LONGEST_NOW_MILLIS).min(now_to - SHORTEST_NOW_MILLIS);
        let before_to = began.millis().min(now_from);
        BASELINES
            .into_iter()
            .map(|length| Spans { before_from: before_to - length, before_to, now_from, now_to })
            .find(|spans| self.average(about, kind, spans.before_from, spans.before_to).is_some())
    }

    /// A reading over a span of time.
    pub(super) fn average(&self, about: Option<&str>, kind: ReadingKind, from: i64, to: i64) -> Option<f64> {
        let row = match about {
            None => None,
            Some(template) => Some(self.rows.find(template)?),
        };
        Slice::new(self, from, to).value(kind, row)
    }
}

/// The place that parts the points best into a lower part before and a higher part after: the largest difference of
/// the means, weighed by how many points stand on either side (as a two-sample test does). Only places within
/// `[earliest, latest]` count. Points are the beginnings of their intervals with their values.
fn rise(points: &[(i64, f64)], earliest: i64, latest: i64) -> Option<i64> {
    let total: f64 = points.iter().map(|(_, value)| value).sum();
    let mut below = 0.0;
    let mut best: Option<(f64, i64)> = None;
    for (place, (at, value)) in points.iter().enumerate() {
        let (before, after) = (place, points.len() - place);
        if before >= LEAST_POINTS && after >= LEAST_POINTS && (earliest..=latest).contains(at) {
            let mean_before = below / before as f64;
            let mean_after = (total - below) / after as f64;
            let weight = ((before * after) as f64 / points.len() as f64).sqrt();
            let score = (mean_after - mean_before) * weight;
            let rose = mean_after > mean_before * LEAST_RISE && score > 0.0;
            if rose && best.is_none_or(|(most, _)| score > most) {
                best = Some((score, *at));
            }
        }
        below += value;
    }
    best.map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<(i64, f64)> {
        (0..).map(|number| number * 10).zip(values.iter().copied()).collect()
    }

    #[test]
    fn a_step_a_ramp_and_a_pulse_are_found_where_they_begin_and_noise_is_none() {
        let step = points(&[1.0, 2.0, 1.0, 1.5, 9.0, 8.0, 10.0, 9.0]);
        assert_eq!(rise(&step, 0, 1_000), Some(40));
        let pulse = points(&[1.0, 1.0, 1.0, 1.0, 30.0, 20.0, 5.0, 2.0]);
        assert_eq!(rise(&pulse, 0, 1_000), Some(40));
        assert_eq!(rise(&points(&[5.0; 20]), 0, 1_000), None);
        assert_eq!(rise(&points(&[9.0, 9.0, 9.0, 1.0, 1.0, 1.0]), 0, 1_000), None, "a fall is no rise");
        assert_eq!(rise(&step, 50, 1_000), Some(50), "no earlier than is possible");
        assert_eq!(rise(&points(&[1.0, 9.0]), 0, 1_000), None);
        assert_eq!(rise(&points(&[0.0, 0.0, 0.0, 4.0, 4.0]), 0, 1_000), Some(30), "from nothing");
    }
}
