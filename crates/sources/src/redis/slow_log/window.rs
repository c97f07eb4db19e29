//! Which entries are a fair sample of the commands, and how many commands were not seen.
//!
//! A poll that arrives while a slow command runs waits for it and then finds it among the newest entries. So the
//! newest entries at a poll hold too many slow commands, and a p99 from them is too high. While everything that was
//! logged between two polls can be read, everything is taken, and nothing is unfair about it. Where more is logged
//! than is read at once, a poll takes what lies some commands back: there it no longer matters when the poll came.
//! It takes the same part of what was logged each time, so that a time of few and slow commands counts as much as it
//! should beside one of many quick ones. (Taking only those stretches that could be read whole would not do either:
//! they are the ones in which slow commands left little time for others.)

use std::time::Duration;

use super::entry::Entry;

/// Entries read at once: 0.25 ms of the server's time (0.5 µs each, measured on 7.0).
pub(super) const READ_AT_ONCE: u64 = 500;
/// From one poll to the next.
pub(super) const EVERY: Duration = Duration::from_millis(50);
/// The newest entries that are left out where not everything can be read.
const LEFT_OUT: u64 = 200;
/// Polls in a row with room to spare, before a larger part is taken.
const CALM: u32 = 10;
/// By how much it becomes larger.
const GROWTH: f64 = 1.5;
/// How much of the room is aimed at where there is too little: what comes next may be more.
const AIM: f64 = 0.7;

/// What one poll brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Its entries.
    pub(super) entries: Vec<Entry>,
    /// Commands that were logged and are not in it.
    pub(super) missed: u64,
}

/// The polls of a burst, by the gapless numbers of the entries.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    /// Everything up to this entry is accounted for.
    seen: u64,
    /// The part of the commands that is taken.
    part: f64,
    calm: u32,
}

impl Windows {
    /// Begins behind the newest entry.
    pub(super) fn begin(newest: u64) -> Self {
        Self { seen: newest, part: 1.0, calm: 0 }
    }

    /// Takes what a poll read, newest first.
    pub(super) fn close(&mut self, read: Vec<Entry>) -> Window {
        let Some(newest) = read.first().map(|entry| entry.id) else { return Window::default() };
        if newest.saturating_sub(self.seen) > READ_AT_ONCE {
            // Whatever comes next, the newest are left out.
            self.part = self.part.min(0.999);
        }
        let left_out = if self.part < 1.0 { LEFT_OUT } else { 0 };
        let to = newest.saturating_sub(left_out).max(self.seen);
        let (new, room) = ((to - self.seen) as f64, (READ_AT_ONCE - left_out) as f64);
        if new * self.part > room {
            self.part = AIM * room / new;
        }
        self.calm = if new * self.part * GROWTH < AIM * room { self.calm + 1 } else { 0 };
        let take = (new * self.part).round() as u64;
        let entries: Vec<_> =
            read.into_iter().filter(|entry| (to - take + 1..=to).contains(&entry.id)).collect();
        let missed = (to - self.seen).saturating_sub(entries.len() as u64);
        self.seen = to;
        if self.calm >= CALM {
            (self.part, self.calm) = ((self.part * GROWTH).min(1.0), 0);
        }
        Window { entries, missed }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::*;

    /// What SLOWLOG GET gives when the newest entry is `newest`.
    fn read(newest: u64) -> Vec<Entry> {
        let oldest = newest.saturating_sub(READ_AT_ONCE - 1).max(1);
        (oldest..=newest).rev().map(|id| entry(id, &["GET", "k"], "")).collect()
    }

    #[test]
    fn everything_is_taken_while_it_can_be_read_and_every_command_is_seen_or_missed() {
        let mut windows = Windows::begin(100);
        let (mut seen, mut missed) = (0, 0);
        let mut take = |window: Window| {
            seen += window.entries.len() as u64;
            missed += window.missed;
            window.entries.len() as u64
        };
        assert_eq!(take(windows.close(read(300))), 200);
        assert_eq!(take(windows.close(read(301))), 1);
        assert_eq!(take(windows.close(Vec::new())), 0);
        assert_eq!(
            take(windows.close(read(5_301))),
            210,
            "most of the room beside the newest, which are left out"
        );
        assert_eq!(
            take(windows.close(read(10_301))),
            219,
            "the same part of what came, though more could be read"
        );
        for calm in 0..500 {
            take(windows.close(read(10_302 + calm)));
        }
        assert_eq!(take(windows.close(read(10_901))), 100, "in the end it takes everything again");
        assert_eq!(seen + missed, 10_801);
    }

    #[test]
    fn a_server_with_bursts_of_quick_commands_is_not_taken_for_a_slow_one() {
        // Half a millisecond each, one in ten; the others a microsecond, which come in bursts of thousands.
        let mut windows = Windows::begin(0);
        let mut state = 7u64;
        let mut dice = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut slow = vec![false];
        let (mut now, mut poll_at) = (0.0, 0.05);
        let (mut taken, mut taken_slow) = (0usize, 0usize);
        for _ in 0..400_000 {
            // A share of slow ones that changes makes some polls find room and others not.
            let share = if ((now / 0.5) as u64).is_multiple_of(2) { 0.02 } else { 0.3 };
            let is_slow = dice() < share;
            now += if is_slow { 500e-6 } else { 1e-6 };
            slow.push(is_slow);
            if now >= poll_at {
                poll_at = now + 0.05;
                let window = windows.close(read(slow.len() as u64 - 1));
                taken += window.entries.len();
                taken_slow += window.entries.iter().filter(|entry| slow[entry.id as usize]).count();
            }
        }
        let truth = slow.iter().filter(|slow| **slow).count() as f64 / slow.len() as f64;
        let found = taken_slow as f64 / taken as f64;
        assert!(taken > 5_000, "{taken}");
        assert!((found / truth - 1.0).abs() < 0.1, "{found} of {truth}");
    }
}
