//! When a plan runs by itself: cron in UTC, which has no summer time, decided by a clock that is an argument.
//!
//! What is due is decided once for each moment of time. A clock that was set back does not make a run come again; one
//! that jumped, or a machine that slept, makes runs missed, which are left out or made up for once.

use std::str::FromStr as _;
use std::time::Duration;

use cachescope_model::time::Timestamp;
use chrono::{DateTime, Utc};
use croner::Cron;
use redis::{Pipeline, Value};
use serde::{Deserialize, Serialize};

use super::claims;
use super::placed::Placed;
use crate::failure::Failure;
use crate::servers::Servers;

/// How late a run may begin and still be on time.
const ON_TIME: Duration = Duration::from_secs(60);
/// A clock that goes back further than this was wrong before, and what was decided by it does not hold.
const BACK_AT_MOST: i64 = 25 * 3_600_000;
/// How long it is known that a run was taken.
const TAKEN_FOR: Duration = Duration::from_secs(24 * 3_600);

/// What becomes of runs whose time passed while nobody could start them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum MissedRuns {
    /// They are left out.
    #[default]
    Skip,
    /// However many there were, one makes up for them.
    RunOnce,
}

/// A cron expression of five fields, in UTC.
#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    cron: Cron,
}

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let bad = || {
            Failure::bad(
                format!("{text:?} is no cron expression"),
                "write five fields in UTC: minute hour day month weekday, such as 0 6 * * *",
            )
        };
        if text.split_whitespace().count() != 5 {
            return Err(bad());
        }
        let cron = Cron::from_str(text).map_err(|_| bad())?;
        Ok(Self { text: text.split_whitespace().collect::<Vec<_>>().join(" "), cron })
    }

    /// The first moment after `after`; `None` where there is none, such as a 30th of February.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = DateTime::<Utc>::from_timestamp_millis(after.millis())?;
        let next = self.cron.find_next_occurrence(&after, false).ok()?;
        Some(Timestamp(next.timestamp_millis()))
    }

    /// The next `count` moments.
    #[must_use]
    pub fn next_runs(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next(after), |last| self.next(*last)).take(count).collect()
    }

    /// The last moment up to `until` and after `after`, and how many there were.
    fn last(&self, after: Timestamp, until: Timestamp) -> Option<(Timestamp, u32)> {
        /// So many are counted; a schedule of every minute has as many in a week.
        const COUNTED: usize = 10_080;
        let due = std::iter::successors(self.next(after), |last| self.next(*last))
            .take_while(|at| *at <= until)
            .take(COUNTED);
        due.enumerate().last().map(|(place, at)| (at, place as u32 + 1))
    }

    /// The line for a crontab that runs `command` at these times.
    #[must_use]
    pub fn crontab(&self, command: &str) -> String {
        // In a crontab a percent sign is a new line.
        format!("CRON_TZ=UTC\n{} {}", self.text, command.replace('%', "\\%"))
    }
}

/// A run that is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueRun {
    /// The moment that it is for.
    pub at: Timestamp,
    /// Whether it makes up for missed ones.
    pub late: bool,
}

/// What was decided for one schedule. It can be kept and read again, so that a restart decides nothing twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Everything up to this moment is decided.
    pub until: Timestamp,
    /// Runs that were left out since watching began.
    pub missed: u32,
}

impl Decided {
    /// Nothing before `now` is of interest.
    #[must_use]
    pub fn from(now: Timestamp) -> Self {
        Self { until: now, missed: 0 }
    }

    /// What is due at `now`.
    pub fn due(&mut self, schedule: &Schedule, now: Timestamp, missed: MissedRuns) -> Option<DueRun> {
        let back = self.until.millis() - now.millis();
        if back > 0 {
            if back > BACK_AT_MOST {
                self.until = now;
            }
            return None;
        }
        let found = schedule.last(self.until, now);
        self.until = now;
        let (at, count) = found?;
        let late = now.seconds_since(at) > ON_TIME.as_secs_f64();
        self.missed += count - u32::from(!late || missed == MissedRuns::RunOnce);
        (!late || missed == MissedRuns::RunOnce).then_some(DueRun { at, late })
    }
}

/// Takes a scheduled run for this instance; `false` where another one has it. It stays taken after it has ended, since
/// the other one's clock may be behind.
///
/// # Errors
/// Where the deployment can't be asked: then it is not ours.
pub async fn take(servers: &Servers, plan_hash: &str, at: Timestamp, holder: &str) -> Result<bool, Failure> {
    let mut placed = Placed::new(servers).await?;
    let name = format!("{}run:{}:{}", claims::PREFIX, &plan_hash[..plan_hash.len().min(16)], at.millis());
    let asked = |pipe: &mut Pipeline, _: usize| {
        pipe.cmd("SET").arg(&name).arg(holder).arg("NX").arg("PX").arg(TAKEN_FOR.as_millis() as u64);
    };
    let replies = placed.each(0, &[name.as_bytes()], asked, |_| (0, 0)).await?;
    match replies.values.into_iter().next() {
        Some(Value::Okay) => Ok(true),
        Some(Value::Nil) => Ok(false),
        Some(Value::ServerError(error)) => Err(Failure::server(
            format!("the scheduled run can't be taken: {}", crate::feed::said(&error)),
            "let the user SET keys like cachescope:*",
        )),
        _ => Err(Failure::server("a server answers SET with something else", "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis())
    }

    fn runs(cron: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(cron).expect(cron);
        let text = |at: Timestamp| {
            let at = DateTime::<Utc>::from_timestamp_millis(at.millis()).expect("a time");
            at.format("%Y-%m-%dT%H:%M").to_string()
        };
        schedule.next_runs(at(from), count).into_iter().map(text).collect()
    }

    #[test]
    fn daylight_saving_moves_no_run_and_the_end_of_a_month_is_where_it_is() {
        // Both nights on which clocks in Berlin change: 06:00 UTC comes once, 24 h after the one before.
        assert_eq!(runs("0 6 * * *", "2026-03-28T06:00:00Z", 2), ["2026-03-29T06:00", "2026-03-30T06:00"]);
        // The hour that is missing or comes twice there is an hour like any other in UTC.
        assert_eq!(runs("30 2 * * *", "2026-10-24T12:00:00Z", 2), ["2026-10-25T02:30", "2026-10-26T02:30"]);
        assert_eq!(runs("0 0 31 * *", "2026-01-31T00:00:00Z", 2), ["2026-03-31T00:00", "2026-05-31T00:00"]);
        assert_eq!(runs("0 0 29 2 *", "2026-01-01T00:00:00Z", 1), ["2028-02-29T00:00"]);
        assert_eq!(runs("0 0 L * *", "2026-02-01T00:00:00Z", 2), ["2026-02-28T00:00", "2026-03-31T00:00"]);
        assert!(runs("0 0 30 2 *", "2026-01-01T00:00:00Z", 1).is_empty());
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in ["", "0 6 * *", "0 25 * * *", "* * * * * *", "@daily"] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_run_comes_once_however_often_and_from_wherever_the_clock_is_read() {
        let schedule = Schedule::parse("0 6 * * *").expect("a schedule");
        let mut decided = Decided::from(at("2026-05-01T05:59:58Z"));
        let mut came = 0;
        for text in [
            "2026-05-01T05:59:59Z",
            "2026-05-01T06:00:00Z",
            "2026-05-01T06:00:01Z",
            // Set back over the moment, and on again.
            "2026-05-01T05:30:00Z",
            "2026-05-01T06:00:00Z",
            "2026-05-01T06:00:02Z",
        ] {
            came += u32::from(decided.due(&schedule, at(text), MissedRuns::RunOnce).is_some());
        }
        assert_eq!((came, decided.missed), (1, 0));
        // The next day it comes again.
        let due = decided.due(&schedule, at("2026-05-02T06:00:30Z"), MissedRuns::Skip).expect("on time");
        assert_eq!((due.at, due.late), (at("2026-05-02T06:00:00Z"), false));
    }

    #[test]
    fn sleep_across_several_runs_leaves_them_out_or_makes_up_for_them_once() {
        let schedule = Schedule::parse("0 * * * *").expect("a schedule");
        let (from, woke) = (at("2026-05-01T05:30:00Z"), at("2026-05-01T09:40:00Z"));
        let mut skips = Decided::from(from);
        assert_eq!(skips.due(&schedule, woke, MissedRuns::Skip), None);
        assert_eq!(skips.missed, 4);
        let mut once = Decided::from(from);
        let due = once.due(&schedule, woke, MissedRuns::RunOnce).expect("made up for");
        assert_eq!((due.at, due.late, once.missed), (at("2026-05-01T09:00:00Z"), true, 3));
        assert_eq!(once.due(&schedule, at("2026-05-01T09:41:00Z"), MissedRuns::RunOnce), None);
    }

    #[test]
    fn a_clock_that_was_years_ahead_does_not_silence_a_schedule_for_years() {
        let schedule = Schedule::parse("0 6 * * *").expect("a schedule");
        let mut decided = Decided::from(at("2031-01-01T00:00:00Z"));
        assert_eq!(decided.due(&schedule, at("2026-05-01T05:00:00Z"), MissedRuns::Skip), None);
        assert!(decided.due(&schedule, at("2026-05-01T06:00:01Z"), MissedRuns::Skip).is_some());
    }

    #[test]
    fn a_crontab_line_is_in_utc_and_its_percent_signs_are_no_line_ends() {
        let schedule = Schedule::parse("0  6 * * *").expect("a schedule");
        assert_eq!(
            schedule.crontab("cachescope warm run --reason '5 %'"),
            "CRON_TZ=UTC\n0 6 * * * cachescope warm run --reason '5 \\%'"
        );
    }
}
