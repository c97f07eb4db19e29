//! Whether misses are listened to: not while a server is at the limit of its CPU and telling them would take more of it
//! than they may cost.
//!
//! On a server that has room, misses are heard one by one and exact, whatever they cost: it has the time. On one that
//! hasn't, what is told is taken from its clients. Removals are told at all times, there are fewer of them; misses of a
//! full server are estimated by the command sample where it is on.

use std::time::Duration;

use crate::redis::load::Load;

/// What telling a miss takes of the server where commands come in pipelines (Redis 7.0.15, see docs/cost.md).
const TELLING_SECONDS: f64 = 0.35e-6;

/// Until when misses are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MissLimits {
    /// Share of a core that the server's main thread takes when it is full.
    pub full: f64,
    /// The same when it has room again.
    pub room: f64,
    /// Share of a core that telling misses may take of a full server.
    pub share: f64,
    /// How long it has to be full.
    pub full_for: Duration,
    /// How long it has to have room.
    pub room_for: Duration,
}

impl MissLimits {
    /// 1 % of a core from 90 % on.
    pub const DEFAULT: Self = Self {
        full: 0.90,
        room: 0.75,
        share: 0.01,
        full_for: Duration::from_secs(2),
        room_for: Duration::from_secs(10),
    };
}

/// What was decided, and for how long there have been reasons against it.
#[derive(Clone, Debug)]
pub(super) struct Shedding {
    limits: MissLimits,
    shed: bool,
    against: Duration,
}

impl Shedding {
    pub(super) fn new(limits: MissLimits) -> Self {
        Self { limits, shed: false, against: Duration::ZERO }
    }

    /// Whether misses are to be left out of the next lease, which is to be so long.
    pub(super) fn next(&mut self, load: Option<Load>, term: Duration) -> bool {
        let Some(load) = load else {
            // Nobody knows: exact is better than cheap.
            *self = Self::new(self.limits);
            return false;
        };
        let cost = load.misses * TELLING_SECONDS;
        let MissLimits { full, room, share, full_for, room_for } = self.limits;
        let (against, patience) = if self.shed {
            (load.busy < room || cost < share / 2.0, room_for)
        } else {
            (load.busy >= full && cost > share, full_for)
        };
        self.against = if against { self.against + term } else { Duration::ZERO };
        if self.against >= patience {
            self.shed = !self.shed;
            self.against = Duration::ZERO;
        }
        self.shed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn decisions(loads: &[(f64, f64, usize)]) -> Vec<bool> {
        let mut shedding = Shedding::new(MissLimits::DEFAULT);
        let mut decided = Vec::new();
        for &(busy, misses, leases) in loads {
            for _ in 0..leases {
                shedding.next(Some(Load { busy, misses }), SECOND);
            }
            decided.push(shedding.shed);
        }
        decided
    }

    #[test]
    fn misses_are_left_out_of_a_full_server_with_many_of_them_and_of_no_other() {
        for (busy, misses, shed) in
            [(0.97, 88_000.0, true), (0.97, 20_000.0, false), (0.70, 90_000.0, false), (0.10, 0.0, false)]
        {
            assert_eq!(decisions(&[(busy, misses, 10)]), [shed], "{busy} {misses}");
        }
    }

    #[test]
    fn a_moment_changes_nothing_and_they_come_back_when_there_is_room_for_a_while() {
        let full = |leases| (0.97, 88_000.0, leases);
        let calm = |leases| (0.5, 40_000.0, leases);
        assert_eq!(decisions(&[full(1), calm(1), full(1)]), [false, false, false]);
        assert_eq!(
            decisions(&[full(2), calm(9), full(1), calm(9), calm(1)]),
            [true, true, true, true, false]
        );
        assert_eq!(decisions(&[full(2), (0.97, 1_000.0, 10)]), [true, false], "few misses cost little");
    }

    #[test]
    fn where_the_load_is_not_known_misses_are_heard() {
        let mut shedding = Shedding::new(MissLimits::DEFAULT);
        for _ in 0..3 {
            shedding.next(Some(Load { busy: 1.0, misses: 1e6 }), SECOND);
        }
        assert!(shedding.shed && !shedding.next(None, SECOND));
    }
}
