//! Two clocks at once: what the wall says, and how long the machine was awake. Where they drift apart, it slept or
//! somebody set the clock, and what was approved before is void.

use std::time::{Duration, Instant};

use cachescope_model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How far the two may drift apart within an approval's life: a clock that is being slewed, not one that was set.
const DRIFT: Duration = Duration::from_secs(5);

/// Both clocks at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReading {
    /// Milliseconds since 1970, which may be set and jump.
    pub wall: Timestamp,
    /// Milliseconds that the machine was awake since some moment, which never go back.
    pub awake_ms: u64,
    /// Which start of the machine, or of the process, `awake_ms` counts from.
    pub since: String,
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Both clocks now.
    fn read(&self) -> ClockReading;
}

impl ClockReading {
    /// How long ago `earlier` was.
    ///
    /// # Errors
    /// Why that can't be trusted, in words.
    pub fn since(&self, earlier: &Self) -> Result<Duration, &'static str> {
        if self.since != earlier.since {
            return Err("the program or the machine was started anew since");
        }
        let wall = self.wall.millis() - earlier.wall.millis();
        let Some(awake) = self.awake_ms.checked_sub(earlier.awake_ms) else {
            return Err("the machine's clock went back since");
        };
        let Ok(wall) = u64::try_from(wall) else { return Err("the clock was set back since") };
        let (wall, awake) = (Duration::from_millis(wall), Duration::from_millis(awake));
        if wall.abs_diff(awake) > DRIFT {
            return Err("the machine slept, or its clock was set, since");
        }
        Ok(wall.max(awake))
    }
}

/// The clock of one process: what it says is of no use to another one.
#[derive(Debug)]
pub struct ProcessClock {
    began: Instant,
    since: String,
}

impl Default for ProcessClock {
    fn default() -> Self {
        Self { began: Instant::now(), since: crate::canonical::hex(&rand::random::<[u8; 16]>()) }
    }
}

impl Clock for ProcessClock {
    fn read(&self) -> ClockReading {
        ClockReading {
            wall: wall(),
            awake_ms: self.began.elapsed().as_millis() as u64,
            since: self.since.clone(),
        }
    }
}

/// The clock of the machine, for what one process approves and the next one runs.
#[derive(Debug, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn read(&self) -> ClockReading {
        let wall = wall();
        ClockReading { wall, awake_ms: awake_ms(wall), since: boot() }
    }
}

/// How long ago something began or was renewed, by a clock that goes on while the machine sleeps and that nobody sets:
/// what a server has meanwhile let go must not count as held.
#[cfg(target_os = "linux")]
pub(crate) fn even_asleep() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Elsewhere the wall's clock is the one that goes on. Set back, it makes what is held seem renewed later than now, which
/// counts as not held.
#[cfg(not(target_os = "linux"))]
pub(crate) fn even_asleep() -> Duration {
    Duration::from_millis(wall().millis().unsigned_abs())
}

fn wall() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_millis() as i64))
}

/// CLOCK_MONOTONIC, which stands still while the machine sleeps.
#[cfg(unix)]
fn awake_ms(_wall: Timestamp) -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64) * 1_000 + (now.tv_nsec as u64) / 1_000_000
}

/// Elsewhere no clock is shared by processes and stands still in sleep: sleep is then not noticed, and the five
/// minutes are those of the wall.
#[cfg(not(unix))]
fn awake_ms(wall: Timestamp) -> u64 {
    wall.millis() as u64
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_only_while_both_clocks_agree() {
        let at = |wall: i64, awake_ms: u64, since: &str| ClockReading {
            wall: Timestamp(wall),
            awake_ms,
            since: since.to_owned(),
        };
        let earlier = at(100_000, 50_000, "a");
        for (later, seconds) in [
            (at(160_000, 110_000, "a"), Some(60)),
            (at(160_000, 106_000, "a"), Some(60)),
            (at(160_000, 51_000, "a"), None),
            (at(99_000, 51_000, "a"), None),
            (at(101_000, 200_000, "a"), None),
            (at(160_000, 49_000, "a"), None),
            (at(160_000, 110_000, "b"), None),
        ] {
            let since = later.since(&earlier).ok();
            assert_eq!(since, seconds.map(Duration::from_secs), "{later:?}");
        }
    }

    #[test]
    fn the_machines_clock_goes_on_and_says_which_machine_it_is() {
        let (one, two) = (MachineClock.read(), MachineClock.read());
        assert!(two.since(&one).is_ok());
    }
}
