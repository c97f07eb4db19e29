//! Quiet hours: whether notifications wait.

use cachescope_model::telling::QuietHours;
use cachescope_model::time::Timestamp;
use chrono::{Datelike, Local, TimeZone, Timelike};

const DAY: u16 = 1_440;

/// A moment of the local week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalMoment {
    /// Monday is 0.
    pub(crate) day: u8,
    /// Minute of the day.
    pub(crate) minute: u16,
}

impl LocalMoment {
    /// A moment in this machine's time zone.
    pub(crate) fn of(at: Timestamp) -> Self {
        // Every moment has one local time; only years beyond calendars have none.
        let local = Local.timestamp_millis_opt(at.millis()).single().unwrap_or_default();
        let day = u8::try_from(local.weekday().num_days_from_monday()).unwrap_or_default();
        let minute = u16::try_from(local.hour() * 60 + local.minute()).unwrap_or_default();
        Self { day, minute }
    }
}

/// Whether these quiet hours hold then. Hours that end on the next day belong to the day on which they began.
pub(crate) fn holds(hours: &QuietHours, moment: LocalMoment) -> bool {
    if !hours.on || hours.from_minute >= DAY || hours.to_minute >= DAY {
        return false;
    }
    let (from, to) = (hours.from_minute, hours.to_minute);
    let begins = |day: u8| hours.days.contains(&day);
    let yesterday = (moment.day + 6) % 7;
    if from < to {
        return begins(moment.day) && (from..to).contains(&moment.minute);
    }
    (begins(moment.day) && moment.minute >= from) || (begins(yesterday) && moment.minute < to)
}

/// Why these hours can't be kept; `None` where they can.
pub(crate) fn problem(hours: &QuietHours) -> Option<&'static str> {
    if hours.from_minute >= DAY || hours.to_minute >= DAY {
        return Some("a day has the minutes 0 to 1439");
    }
    if hours.days.iter().any(|day| *day > 6) {
        return Some("a week has the days 0 (Monday) to 6");
    }
    (hours.on && hours.days.is_empty()).then_some("quiet hours that begin on no day never hold: choose a day")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_began() {
        // Friday and Saturday nights, 22:00 to 07:00.
        let night = QuietHours {
            on: true,
            from_minute: 22 * 60,
            to_minute: 7 * 60,
            days: vec![4, 5],
            except_critical: true,
        };
        for (day, minute, quiet) in [
            (4, 21 * 60 + 59, false),
            (4, 22 * 60, true),
            (5, 6 * 60 + 59, true),
            (5, 7 * 60, false),
            (6, 6 * 60, true),
            (6, 23 * 60, false),
            (0, 1 * 60, false),
            (4, 60, false),
        ] {
            assert_eq!(holds(&night, LocalMoment { day, minute }), quiet, "day {day}, minute {minute}");
        }
        let noon = QuietHours { from_minute: 12 * 60, to_minute: 13 * 60, ..night.clone() };
        assert!(holds(&noon, LocalMoment { day: 4, minute: 12 * 60 + 30 }));
        assert!(!holds(&noon, LocalMoment { day: 4, minute: 13 * 60 }));
        // Equal ends are a whole day.
        let all_day = QuietHours { from_minute: 0, to_minute: 0, ..night.clone() };
        assert!(holds(&all_day, LocalMoment { day: 4, minute: 0 }));
        assert!(!holds(&QuietHours { on: false, ..night }, LocalMoment { day: 4, minute: 23 * 60 }));
    }
}
