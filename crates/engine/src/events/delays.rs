//! How long keys were gone when they were next asked for.

use crate::window::Count;

/// Upper bounds in milliseconds of all but the last class.
pub(crate) const BOUNDS_MILLIS: [i64; 5] = [1_000, 10_000, 60_000, 600_000, 3_600_000];

/// Misses of evicted keys by the time since the eviction.
pub(crate) const AFTER_EVICTION: [Count; 6] = [
    Count::EvictedSecond,
    Count::EvictedTenSeconds,
    Count::EvictedMinute,
    Count::EvictedTenMinutes,
    Count::EvictedHour,
    Count::EvictedLonger,
];

/// Misses of expired keys by the time since the expiry.
pub(crate) const AFTER_EXPIRY: [Count; 6] = [
    Count::ExpiredSecond,
    Count::ExpiredTenSeconds,
    Count::ExpiredMinute,
    Count::ExpiredTenMinutes,
    Count::ExpiredHour,
    Count::ExpiredLonger,
];

/// The class of a delay.
pub(crate) fn class(millis: i64) -> usize {
    BOUNDS_MILLIS.iter().position(|bound| millis < *bound).unwrap_or(BOUNDS_MILLIS.len())
}
