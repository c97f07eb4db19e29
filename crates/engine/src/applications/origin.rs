//! One way for one application's counters: its pages and a Prometheus that scrapes them are never added.

/// How an application's series can reach us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Its exposition pages, fetched directly.
    Pages,
    /// A Prometheus server that scraped them.
    Prometheus,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Pages, Self::Prometheus];

    fn other(self) -> Self {
        match self {
            Self::Pages => Self::Prometheus,
            Self::Prometheus => Self::Pages,
        }
    }
}

/// Before two samples have shown it, an interval is taken to be this long.
pub(crate) const DEFAULT_INTERVAL_MILLIS: i64 = 15_000;

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Time of the newest sample.
    newest_ms: i64,
    /// When it came, by our clock.
    heard_ms: i64,
    /// Usual time between two samples of one process.
    interval_ms: Option<i64>,
}

/// Which way is taken for one subject (a label, the server), and since when.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin {
    chosen: Option<Way>,
    seen: [Option<Seen>; 2],
    /// What lies before was counted by the other way.
    not_before_ms: i64,
    /// Since when its counters are known; `None` where they began at 0 while we watched.
    pub(crate) since_ms: Option<i64>,
    counted: bool,
}

impl Origin {
    /// The way in use.
    pub(crate) fn chosen(&self) -> Option<Way> {
        self.chosen
    }

    /// A sample came this way. Choosing is left to [`Self::admit`].
    pub(crate) fn see(&mut self, way: Way, sample_ms: i64, now_ms: i64, interval_ms: Option<i64>) {
        match &mut self.seen[way as usize] {
            Some(seen) => {
                seen.interval_ms = interval_ms;
                if sample_ms > seen.newest_ms {
                    seen.newest_ms = sample_ms;
                    seen.heard_ms = now_ms;
                }
            }
            empty => *empty = Some(Seen { newest_ms: sample_ms, heard_ms: now_ms, interval_ms }),
        }
    }

    /// Whether an increase that came this way counts, and from when on.
    ///
    /// The first way that delivers is kept: it is the one with the shorter interval, for an increase takes two
    /// samples. When it falls silent for three of its intervals, the other one takes over from the last
    /// sample on.
    pub(crate) fn admit(&mut self, way: Way, from_ms: i64, now_ms: i64) -> Option<i64> {
        let stale = |seen: Option<Seen>| seen.is_none_or(|seen| seen.is_stale(now_ms));
        match self.chosen {
            None => self.chosen = Some(way),
            Some(chosen) if chosen == way => {}
            Some(chosen) if stale(self.seen[chosen as usize]) => {
                self.not_before_ms = self.seen[chosen as usize].map_or(0, |seen| seen.newest_ms);
                self.chosen = Some(way);
            }
            Some(_) => return None,
        }
        let from_ms = from_ms.max(self.not_before_ms);
        if !self.counted {
            self.counted = true;
            self.since_ms = Some(from_ms);
        }
        Some(from_ms)
    }

    /// Its counters began at 0 while we watched: there was nothing before.
    pub(crate) fn born(&mut self) {
        if !self.counted {
            self.counted = true;
            self.since_ms = None;
        }
    }

    /// Whether nothing has come for three intervals on the chosen way nor on the other one.
    pub(crate) fn is_silent(&self, now_ms: i64) -> bool {
        let fresh = |way: Way| self.seen[way as usize].is_some_and(|seen| !seen.is_stale(now_ms));
        self.chosen.is_none_or(|chosen| !fresh(chosen) && !fresh(chosen.other()))
    }

    /// Whether any sample ever came.
    pub(crate) fn was_seen(&self) -> bool {
        self.seen.iter().any(Option::is_some)
    }

    /// When the last sample came on the chosen way.
    pub(crate) fn heard_ms(&self) -> Option<i64> {
        self.seen[self.chosen? as usize].map(|seen| seen.heard_ms)
    }
}

impl Seen {
    fn is_stale(self, now_ms: i64) -> bool {
        // A round of questions may come late by as much as its own interval.
        let interval = self.interval_ms.unwrap_or(DEFAULT_INTERVAL_MILLIS).clamp(1_000, 300_000);
        now_ms - self.heard_ms > 3 * interval + 5_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ways_are_never_added_and_the_other_takes_over_when_one_falls_silent() {
        let mut origin = Origin::default();
        let mut now = 0;
        while now < 60_000 {
            now += 5_000;
            origin.see(Way::Pages, now, now, Some(5_000));
            assert_eq!(origin.admit(Way::Pages, now - 5_000, now), Some(now - 5_000));
            if now % 15_000 == 0 {
                origin.see(Way::Prometheus, now, now, Some(15_000));
                assert_eq!(origin.admit(Way::Prometheus, now - 15_000, now), None);
            }
        }
        // The page stops at 60 s. Three intervals and a little later Prometheus takes over, from there on.
        origin.see(Way::Prometheus, 75_000, 75_000, Some(15_000));
        assert_eq!(origin.admit(Way::Prometheus, 60_000, 75_000), None);
        origin.see(Way::Prometheus, 90_000, 90_000, Some(15_000));
        assert!(!origin.is_silent(90_000));
        assert_eq!(origin.admit(Way::Prometheus, 45_000, 90_000), Some(60_000));
        // And keeps it.
        origin.see(Way::Pages, 91_000, 91_000, Some(5_000));
        assert_eq!(origin.admit(Way::Pages, 60_000, 91_000), None);
        assert!(origin.is_silent(300_000));
    }
}
