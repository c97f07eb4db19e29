//! What time it is at a server, in the time of this process. As NTP does it (RFC 5905, section 8): the server looked at
//! its clock in the middle of the exchange, give or take half of it, and of several exchanges the shortest says most.
//! The clock of the machine that this runs on has no part in it.

use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::ActingConnection;
use redis::{Pipeline, Value};

use crate::failure::Failure;
use crate::feed::said;
use crate::servers::text_of;

/// Exchanges of one look at most, and how exact a look is when no further one is needed.
const EXCHANGES: usize = 8;
const EXACT: Duration = Duration::from_micros(250);
/// For how long a look is good.
const GOOD_FOR: Duration = Duration::from_secs(5);
/// By how much two clocks may drift apart: 100 parts in a million, which is more than crystals do.
const DRIFT: f64 = 1e-4;

/// A server's clock as it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerClock {
    /// When it was looked at, here …
    at: Instant,
    /// … and there, in microseconds since 1970.
    micros: i64,
    /// By how much that may be wrong.
    within: Duration,
}

impl ServerClock {
    /// Looks at it, unless that was done a moment ago. A look that was more exact than the new one is kept while the
    /// two agree; a clock that was set meanwhile does not agree.
    pub(crate) async fn look(
        before: Option<Self>,
        connection: &mut ActingConnection,
    ) -> Result<Self, Failure> {
        if let Some(before) = before.filter(|before| before.at.elapsed() < GOOD_FOR) {
            return Ok(before);
        }
        let mut best = Self::exchange(connection).await?;
        for _ in 1..EXCHANGES {
            if best.within <= EXACT {
                break;
            }
            let next = Self::exchange(connection).await?;
            if next.within < best.within {
                best = next;
            }
        }
        Ok(before.map_or(best, |before| before.or(best)))
    }

    async fn exchange(connection: &mut ActingConnection) -> Result<Self, Failure> {
        let mut asked = Pipeline::new();
        asked.cmd("TIME");
        let answer = connection.ask_without_lookups(0, &asked).await?;
        let within = answer.round_trip / 2;
        let at = Instant::now().checked_sub(within).unwrap_or_else(Instant::now);
        match answer.replies.first() {
            Some(Value::ServerError(error)) => Err(Failure::server(
                format!("{} does not tell the time: {}", connection.node().name(), said(error)),
                "let the user run TIME",
            )),
            reply => match reply.and_then(micros_of) {
                Some(micros) => Ok(Self { at, micros, within }),
                None => Err(Failure::server("a server answers TIME with something else", "")),
            },
        }
    }

    fn or(self, new: Self) -> Self {
        let since = new.at.saturating_duration_since(self.at);
        let drifted = since.mul_f64(DRIFT);
        let apart = Duration::from_micros(self.micros_at(new.at).abs_diff(new.micros));
        let kept = Self { within: self.within + drifted, at: new.at, micros: self.micros_at(new.at) };
        if kept.within < new.within && apart <= kept.within + new.within { kept } else { new }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(at: Instant, ms: i64) -> Self {
        Self { at, micros: ms * 1_000, within: Duration::ZERO }
    }

    fn micros_at(&self, moment: Instant) -> i64 {
        let later = moment.saturating_duration_since(self.at).as_micros();
        let earlier = self.at.saturating_duration_since(moment).as_micros();
        let signed = |micros: u128| i64::try_from(micros).unwrap_or(i64::MAX);
        self.micros.saturating_add(signed(later)).saturating_sub(signed(earlier))
    }

    /// The server's time at a moment, in milliseconds since 1970.
    pub(crate) fn ms_at(&self, moment: Instant) -> u64 {
        let micros = self.micros_at(moment).max(0).unsigned_abs();
        (micros + 500) / 1_000
    }

    /// The moment at which the server's time is so many milliseconds since 1970; `None` for one that is too far away
    /// to be told.
    pub(crate) fn moment(&self, ms: u64) -> Option<Instant> {
        let micros = i64::try_from(ms).ok()?.checked_mul(1_000)?.checked_sub(self.micros)?;
        let apart = Duration::from_micros(micros.unsigned_abs());
        if micros < 0 { self.at.checked_sub(apart) } else { self.at.checked_add(apart) }
    }
}

/// What TIME answers, in microseconds since 1970.
pub(crate) fn micros_of(reply: &Value) -> Option<i64> {
    let Value::Array(parts) = reply else { return None };
    let [seconds, micros] = parts.as_slice() else { return None };
    let number = |value: &Value| text_of(value)?.parse::<i64>().ok();
    number(seconds)?.checked_mul(1_000_000)?.checked_add(number(micros)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(at: Instant, micros: i64, within_micros: u64) -> ServerClock {
        ServerClock { at, micros, within: Duration::from_micros(within_micros) }
    }

    #[test]
    fn an_end_of_life_is_carried_from_one_servers_clock_to_anothers_that_is_hours_off() {
        let now = Instant::now();
        let (source, target) =
            (clock(now, 1_000_000_000, 100), clock(now + Duration::from_millis(7), 13_000_007_000, 100));
        // 90 seconds from now, by either.
        let ends = source.moment(1_090_000).expect("it can be told");
        assert_eq!(ends, now + Duration::from_secs(90));
        assert_eq!(target.ms_at(ends), 13_090_000);
        // What ended already, and what never will.
        assert_eq!(source.moment(999_000), now.checked_sub(Duration::from_secs(1)));
        assert_eq!(source.moment(u64::MAX), None);
    }

    #[test]
    fn the_more_exact_look_is_kept_until_drift_has_made_it_the_worse_one_or_the_clock_was_set() {
        let now = Instant::now();
        let seconds = |seconds| now + Duration::from_secs(seconds);
        let exact = clock(now, 0, 100);
        let later = exact.or(clock(seconds(5), 5_002_000, 4_000));
        assert_eq!((later.micros, later.within), (5_000_000, Duration::from_micros(600)));
        let drifted = exact.or(clock(seconds(60), 60_002_000, 4_000));
        assert_eq!(drifted.micros, 60_002_000);
        let set = exact.or(clock(seconds(5), 3_605_000_000, 4_000));
        assert_eq!(set.micros, 3_605_000_000);
    }
}
