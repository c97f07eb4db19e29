//! How busy a server is, from one INFO reply to the next.

use std::time::{Duration, Instant};

use cachescope_model::server::ServerInfo;

/// INFO replies that lie closer together than this say little.
const LEAST: Duration = Duration::from_millis(250);
/// What is older than this says nothing about now.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// A server's load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// Share of a core that its main thread takes, 0 to 1.
    pub(super) busy: f64,
    /// Lookups that miss, a second.
    pub(super) misses: f64,
}

/// Two INFO replies of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct LoadMeter {
    last: Option<(Instant, String, f64, u64)>,
    load: Option<(Instant, Load)>,
}

impl LoadMeter {
    /// An INFO reply came.
    pub(super) fn note(&mut self, now: Instant, info: &ServerInfo) {
        let Some(cpu) = info.main_thread_seconds else {
            *self = Self::default();
            return;
        };
        if let Some((at, run_id, cpu_before, misses_before)) = &self.last {
            let passed = now.saturating_duration_since(*at);
            let misses = info.keyspace_misses.checked_sub(*misses_before);
            match misses {
                Some(misses) if *run_id == info.run_id && cpu >= *cpu_before => {
                    if passed < LEAST {
                        return;
                    }
                    let seconds = passed.as_secs_f64();
                    let load = Load { busy: (cpu - cpu_before) / seconds, misses: misses as f64 / seconds };
                    self.load = Some((now, load));
                }
                // Another server, or counters that were reset.
                _ => self.load = None,
            }
        }
        self.last = Some((now, info.run_id.clone(), cpu, info.keyspace_misses));
    }

    /// The load, where it is known.
    pub(super) fn load(&self, now: Instant) -> Option<Load> {
        self.load.filter(|(at, _)| now.saturating_duration_since(*at) <= STALE_AFTER).map(|(_, load)| load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(run_id: &str, cpu: f64, misses: u64) -> ServerInfo {
        ServerInfo {
            run_id: run_id.to_owned(),
            main_thread_seconds: Some(cpu),
            keyspace_misses: misses,
            ..ServerInfo::default()
        }
    }

    #[test]
    fn the_load_is_what_lies_between_two_replies_of_the_same_server() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut meter = LoadMeter::default();
        meter.note(at(0), &info("a", 10.0, 100));
        assert_eq!(meter.load(at(0)), None);
        meter.note(at(1_000), &info("a", 10.9, 30_100));
        let load = meter.load(at(1_000)).expect("two replies came");
        assert!((load.busy - 0.9).abs() < 1e-9 && (load.misses - 30_000.0).abs() < 1e-6, "{load:?}");
        meter.note(at(1_100), &info("a", 99.0, 99_999));
        assert_eq!(meter.load(at(1_100)), Some(load), "too short a time");
        assert_eq!(meter.load(at(20_000)), None, "that was long ago");
        meter.note(at(2_000), &info("a", 12.0, 0));
        assert_eq!(meter.load(at(2_000)), None, "the counters were reset");
        meter.note(at(3_000), &info("b", 12.5, 10));
        assert_eq!(meter.load(at(3_000)), None, "another server");
        meter.note(at(4_000), &ServerInfo::default());
        meter.note(at(5_000), &info("b", 12.5, 10));
        assert_eq!(meter.load(at(5_000)), None, "one that doesn't tell its CPU came between");
    }
}
