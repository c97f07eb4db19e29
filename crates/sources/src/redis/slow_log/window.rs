//! Which entries are a fair sample of the commands, and how many commands were not seen.
//!
//! A poll that arrives while a slow command runs waits for it and then finds it among the newest entries. So the
//! newest entries at a poll hold too many slow commands, and a p99 from them is too high. All commands between
//! two polls are a fair sample: the one that the second poll waited for is among them, the one that the first
//! waited for is not. Therefore only windows that are complete count; of one that held more commands than are
//! read at once, none does.

use std::time::Duration;

use super::entry::Entry;

/// Entries read at once: 0.25 ms of the server's time (0.5 µs each, measured on 7.0).
pub(super) const READ_AT_ONCE: u64 = 500;
/// A window is over after this at the latest.
const LONGEST: Duration = Duration::from_millis(50);
/// Timers can't do much shorter.
const SHORTEST: Duration = Duration::from_millis(1);
/// Share of what is read at once that a window aims for; the rest is for bursts.
const AIM: f64 = 0.6;

/// What one window brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Its entries, all of them; empty where it was not complete.
    pub(super) entries: Vec<Entry>,
    /// Commands that were logged since the last window's end and are not in it.
    pub(super) missed: u64,
}

/// The windows of a burst, by the gapless numbers of the entries.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    /// Newest entry at the end of the last window: everything up to it is accounted for.
    seen: u64,
    /// Newest entry at the beginning of the present one.
    begin: u64,
    length: Duration,
    /// Whether the last window held so many commands that reading all windows would cost too much.
    busy: bool,
}

impl Windows {
    /// Begins behind the newest entry.
    pub(super) fn begin(newest: u64) -> Self {
        // The first one is short, because nobody knows how busy the server is.
        Self { seen: newest, begin: newest, length: Duration::from_millis(5), busy: false }
    }

    /// How long the present window lasts.
    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// How long to wait until the next window begins; `None`: it begins with the end of this one.
    pub(super) fn pause(&self) -> Option<Duration> {
        (self.busy && self.length < LONGEST).then(|| LONGEST - self.length)
    }

    /// A new window begins behind the newest entry.
    pub(super) fn open(&mut self, newest: u64) {
        self.begin = newest.max(self.seen);
    }

    /// Ends the window with what was read after it, newest first.
    pub(super) fn close(&mut self, read: Vec<Entry>) -> Window {
        let Some(newest) = read.first().map(|entry| entry.id) else { return Window::default() };
        let there = newest.saturating_sub(self.begin);
        let skipped = self.begin - self.seen;
        let mut entries: Vec<_> = read.into_iter().filter(|entry| entry.id > self.begin).collect();
        let complete = entries.len() as u64 == there;
        self.adapt(there);
        self.begin = newest.max(self.begin);
        self.seen = self.begin;
        if complete {
            Window { entries, missed: skipped }
        } else {
            entries.clear();
            Window { entries, missed: skipped + there }
        }
    }

    fn adapt(&mut self, commands: u64) {
        self.busy = commands > READ_AT_ONCE / 4;
        let wanted = AIM * READ_AT_ONCE as f64 / (commands.max(1) as f64);
        // One quiet window must not make the next one far too long.
        let length = self.length.mul_f64(wanted.min(2.0));
        self.length = length.clamp(SHORTEST, LONGEST);
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
    fn complete_windows_are_taken_whole_and_every_command_is_seen_or_missed() {
        let mut windows = Windows::begin(100);
        let (mut seen, mut missed) = (0, 0);
        let mut take = |window: Window| {
            seen += window.entries.len() as u64;
            missed += window.missed;
            window.entries.len()
        };
        assert_eq!(take(windows.close(read(300))), 200);
        assert_eq!(take(windows.close(read(301))), 1, "the next window begins where this one ended");
        windows.open(1_301);
        assert_eq!(take(windows.close(read(1_400))), 99, "what ran between the windows is missed");
        assert_eq!(take(windows.close(read(5_000))), 0, "a window with more than is read is dropped whole");
        assert_eq!(take(windows.close(Vec::new())), 0);
        assert_eq!(seen + missed, 4_900);
    }

    #[test]
    fn windows_become_as_long_as_what_is_read_at_once_allows() {
        let mut windows = Windows::begin(0);
        let mut newest = 0;
        for rate in [100_000.0, 1_000.0, 20_000.0] {
            for _ in 0..20 {
                newest += (rate * windows.length().as_secs_f64()) as u64;
                windows.close(read(newest));
            }
            let before = newest;
            let length = windows.length();
            newest += (rate * length.as_secs_f64()) as u64;
            assert!(newest - before <= READ_AT_ONCE, "{rate}/s: {length:?}");
            assert!(length == LONGEST || newest - before > READ_AT_ONCE / 4, "{rate}/s: {length:?}");
        }
    }
}
