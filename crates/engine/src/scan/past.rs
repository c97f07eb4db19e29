//! What the complete scans of a namespace found, for charts: thinned out the older they are, so that a day of them takes
//! no more than an hour.
//!
//! A chart shows what the last scan before a point found. Leaving a scan out draws what the one before it found until the
//! next one. Of a chart that begins at the scan, the pause that this makes is a part which is the smaller the older the scan
//! is. So the scan goes for which this part, times its difference from the one before it, is the smallest: a purge stays
//! where it was.

use crate::short_list::make_room;

/// Scans that are kept; what a scan takes is kept thousands of times.
const KEPT: usize = 32;
/// What lies further back is shown nowhere.
const LONGEST_SECONDS: u32 = 172_800;
/// Scans that found the same differ by so much still: then it is their times that count.
const LEAST_DIFFERENCE: f32 = 0.01;

/// What a scan found, `NaN` where that is not known; a chart shows no more than four digits of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PastScan {
    at_seconds: u32,
    pub(crate) bytes: f32,
    pub(crate) keys: f32,
}

impl PastScan {
    /// From 0 to 2: how far what it found is from what the one before it found.
    fn difference(self, before: Self) -> f32 {
        let apart = |one: f32, other: f32| match (one.is_nan(), other.is_nan()) {
            (true, true) => 0.0,
            // Known and unknown.
            (true, false) | (false, true) => 1.0,
            (false, false) if one == other => 0.0,
            (false, false) => (one - other).abs() / one.max(other),
        };
        apart(self.bytes, before.bytes) + apart(self.keys, before.keys)
    }
}

/// The scans that are kept, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct PastScans(Vec<PastScan>);

impl PastScans {
    /// Notes what a scan found that was complete at `at_ms`, unless it is what the one before it found.
    pub(crate) fn note(&mut self, at_ms: i64, bytes: f64, keys: f64) {
        let at_seconds = u32::try_from(at_ms / 1_000).unwrap_or_default();
        let scan = PastScan { at_seconds, bytes: bytes as f32, keys: keys as f32 };
        if self.0.last().is_some_and(|last| scan.difference(*last) == 0.0) {
            return;
        }
        // Of those that are too old the last says what was there when the others began.
        let old = |scan: &PastScan| scan.at_seconds < at_seconds.saturating_sub(LONGEST_SECONDS);
        let too_old = self.0.iter().take_while(|scan| old(scan)).count().saturating_sub(1);
        self.0.drain(..too_old);
        if self.0.len() == KEPT {
            self.thin_out(at_seconds);
        }
        make_room(&mut self.0);
        self.0.push(scan);
    }

    fn thin_out(&mut self, now: u32) {
        let loss = |place: usize| {
            let (before, scan) = (self.0[place - 1], self.0[place]);
            let until = self.0.get(place + 1).map_or(now, |next| next.at_seconds);
            let part = until.saturating_sub(before.at_seconds) as f32
                / now.saturating_sub(scan.at_seconds).max(1) as f32;
            (LEAST_DIFFERENCE + scan.difference(before)) * part
        };
        if let Some(least) = (1..self.0.len()).min_by(|one, other| loss(*one).total_cmp(&loss(*other))) {
            self.0.remove(least);
        }
    }

    /// What the last scan up to a moment found.
    pub(crate) fn at(&self, at_ms: i64) -> Option<PastScan> {
        self.0.iter().rev().find(|scan| i64::from(scan.at_seconds) * 1_000 <= at_ms).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn noted(found: impl Fn(i64) -> (f64, f64), minutes: i64) -> PastScans {
        let mut scans = PastScans::default();
        for minute in 0..minutes {
            let (bytes, keys) = found(minute);
            scans.note(minute * MINUTE, bytes, keys);
            assert!(scans.0.len() <= KEPT && scans.0.capacity() <= KEPT + KEPT / 2);
        }
        scans
    }

    #[test]
    fn scans_that_found_the_same_are_kept_once() {
        let unknown = noted(|_| (f64::NAN, 1.0), 2_000);
        assert_eq!(unknown.0.len(), 1);
        let scans = noted(|_| (5.0, 1.0), 2_000);
        assert_eq!(scans.0.len(), 1);
        assert_eq!(scans.at(1_999 * MINUTE).map(|scan| scan.keys), Some(1.0));
        assert_eq!(scans.at(-1), None, "nothing is known of before");
    }

    #[test]
    fn a_day_is_kept_the_coarser_the_older_it_is() {
        let day = 1_440;
        let scans = noted(|minute| (1e6 + (minute % 7) as f64 * 1e4, 100.0), day);
        let ages: Vec<i64> = scans.0.iter().map(|scan| day - 1 - i64::from(scan.at_seconds) / 60).collect();
        assert_eq!(ages.first(), Some(&(day - 1)), "the first one stays");
        for pair in ages.windows(2) {
            let pause = pair[0] - pair[1];
            assert!(
                pause <= 1 + pair[0] / 2,
                "{pause} minutes between scans {} minutes ago: {ages:?}",
                pair[0]
            );
        }
    }

    #[test]
    fn a_purge_of_hours_ago_stays_at_its_minute() {
        let purged = 700;
        let found = |minute: i64| {
            let wave = (minute % 5) as f64 * 1e3;
            if minute < purged { (8e6 + wave, 9_000.0) } else { (1e6 + wave, 1_000.0) }
        };
        let scans = noted(found, 1_440);
        assert_eq!(scans.at((purged - 1) * MINUTE).map(|scan| scan.keys), Some(9_000.0));
        assert_eq!(scans.at(purged * MINUTE).map(|scan| scan.keys), Some(1_000.0));
    }

    #[test]
    fn what_is_shown_nowhere_is_forgotten_but_for_what_was_there_last() {
        let mut scans = noted(|minute| (minute as f64, 1.0), 60);
        let later = 3 * 1_440 * MINUTE;
        scans.note(later, 7.0, 2.0);
        assert_eq!(scans.0.len(), 2);
        assert_eq!(scans.at(later - 1).map(|scan| scan.bytes), Some(59.0));
    }
}
