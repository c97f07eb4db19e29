//! The spans of time over which a reading is taken.

use serde::{Deserialize, Serialize};

/// A window that ends now. One minute is the default everywhere.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS,
)]
pub enum Window {
    /// Ten seconds.
    #[serde(rename = "10s")]
    TenSeconds,
    /// One minute.
    #[default]
    #[serde(rename = "1m")]
    OneMinute,
    /// Five minutes.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// Fifteen minutes.
    #[serde(rename = "15m")]
    FifteenMinutes,
    /// One hour.
    #[serde(rename = "1h")]
    OneHour,
    /// One day.
    #[serde(rename = "24h")]
    OneDay,
}

impl Window {
    /// Every window, shortest first.
    pub const ALL: [Self; 6] = [
        Self::TenSeconds,
        Self::OneMinute,
        Self::FiveMinutes,
        Self::FifteenMinutes,
        Self::OneHour,
        Self::OneDay,
    ];

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::TenSeconds => 10,
            Self::OneMinute => 60,
            Self::FiveMinutes => 300,
            Self::FifteenMinutes => 900,
            Self::OneHour => 3_600,
            Self::OneDay => 86_400,
        }
    }
}
