//! Lookups and hit rate of a row from a sample of the commands, where the application counts none.

use cachescope_model::reading::Reading;

use super::application::NO_TRAFFIC;
use super::reasons::Reason;
use super::view::{EventView, LEAST_SECONDS, words};
use crate::engine::Engine;
use crate::rows::Row;
use crate::sample::{Estimate, MOST_UNKNOWN, RowSums, Sums};
use crate::scan::Interval;
use crate::window::Range;

/// The sample over the window.
#[derive(Clone, Debug, Default)]
pub(super) struct SampleView {
    range: Range,
    pub(super) sums: Sums,
    source: String,
    remark: Option<String>,
    /// Why it says nothing at all.
    unusable: Option<Reason>,
    /// Why it says nothing about hit rates.
    no_hit_rate: Option<Reason>,
    /// Miss events that were lost.
    missing: f64,
}

impl SampleView {
    pub(super) fn new(
        engine: &Engine,
        now_ms: i64,
        seconds: u32,
        events: &EventView,
        [no_sample, no_events]: [&Reason; 2],
    ) -> Self {
        let sample = &engine.sample;
        let end_ms = sample.closed_ms(now_ms).unwrap_or(now_ms);
        let range = engine.frame.range((end_ms - 1).div_euclid(1000), seconds);
        let sums = Sums::new(sample.covered_seconds(&range), |count| sample.tally.sum(count, &range) as f64);
        let unusable = if sums.seconds < LEAST_SECONDS { Some(no_sample.clone()) } else { unknown(&sums) };
        let no_hit_rate = (sums.blind >= 1.0).then(|| no_events.clone());
        let gap = range.seconds_until(end_ms).min(f64::from(seconds)) - sums.seconds;
        let mut remarks = Vec::new();
        if gap > 2.0 && sample.closed_ms(now_ms).is_none() {
            remarks.push(format!("no sample was taken for {} of this window", words(gap)));
        }
        if sums.unattributed() > 0.001 {
            let share = sums.unattributed() * 100.0;
            remarks
                .push(format!("{share:.1} % of what was looked up can't be attributed and may be its own"));
        }
        if sums.excess() > 0.0 {
            let share = sums.excess() * 100.0;
            remarks.push(format!("the sample shows {share:.0} % more lookups than the server counts"));
        }
        if sums.unsampled > 0.001 {
            let share = sums.unsampled * 100.0;
            remarks.push(format!("{share:.0} % of the lookups are on nodes that are not sampled"));
        }
        if sums.blind > 0.0 && sums.blind < 1.0 {
            let share = sums.blind * 100.0;
            remarks.push(format!("misses are not known for {share:.0} % of the sampled time"));
        }
        if let Some(remark) = events.remark.as_ref().filter(|_| events.missing > 0.0) {
            remarks.push(remark.clone());
        }
        let commands = thousands(sums.commands);
        Self {
            range,
            sums,
            source: format!("keyspace events and a sample of {commands} commands"),
            remark: (!remarks.is_empty()).then(|| remarks.join("; ")),
            unusable,
            no_hit_rate,
            missing: events.missing,
        }
    }

    /// What the sample says about a row; otherwise why it says nothing.
    pub(super) fn of_row(&self, row: &Row) -> Result<Estimate, Reason> {
        if let Some(reason) = &self.unusable {
            return Err(reason.clone());
        }
        let sums = RowSums::new(|count| row.tally.sum(count, &self.range) as f64);
        Ok(self.sums.estimate(&sums, self.missing))
    }

    pub(super) fn hit_rate(&self, estimate: &Estimate) -> Reading {
        if let Some(reason) = &self.no_hit_rate {
            return Reading::unavailable(reason.clone());
        }
        match estimate.hit_rate {
            Some(rate) => self.reading(rate, self.sums.seconds * (1.0 - self.sums.blind)),
            None if estimate.lookups.high * self.share_seen() < 1.0 => Reading::unavailable(NO_TRAFFIC),
            None => Reading::unavailable("none of its lookups was sampled and none missed in this window"),
        }
    }

    /// Counts as a rate; `at_least` is a rate that is known to be part of it.
    pub(super) fn rate(&self, counts: Interval, at_least: f64) -> Reading {
        let of = |count: f64| (count / self.sums.seconds.max(LEAST_SECONDS)).max(at_least);
        let rate = Interval { value: of(counts.value), low: of(counts.low), high: of(counts.high) };
        self.reading(rate, self.sums.seconds)
    }

    fn share_seen(&self) -> f64 {
        if self.sums.server > 0.0 { (self.sums.explained.value / self.sums.server).min(1.0) } else { 0.0 }
    }

    fn reading(&self, found: Interval, seconds: f64) -> Reading {
        let reading = Reading::estimated(found.value, found.low, found.high, self.source.clone(), seconds);
        match &self.remark {
            Some(remark) => reading.with_reason(remark.clone()),
            None => reading,
        }
    }
}

/// Why the sample can't stand for the whole.
fn unknown(sums: &Sums) -> Option<Reason> {
    if sums.unread > MOST_UNKNOWN {
        let share = sums.unread * 100.0;
        return Some(
            format!(
                "the keys of {share:.0} % of the sampled commands can't be told (a module's commands): the \
                 application's own metrics would tell"
            )
            .into(),
        );
    }
    if sums.unsampled > MOST_UNKNOWN {
        let share = sums.unsampled * 100.0;
        return Some(
            format!(
                "{share:.0} % of the lookups are on nodes whose commands are not sampled: see the source \
                 commands of each node"
            )
            .into(),
        );
    }
    None
}

/// A count with separators, as people read it.
fn thousands(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
