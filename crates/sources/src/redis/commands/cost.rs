//! What a burst costs the server.
//!
//! Measured on Redis 7.0.15: a monitored command costs the server's main thread about 0.7 µs, and 0.07 µs for
//! every byte of its arguments, because MONITOR quotes them byte by byte (`sdscatrepr`): 2.3 µs for a GET of 30
//! bytes, but 0.7 ms for a SET of 10 KB. So what is budgeted is bytes, not commands.

/// Of one line, whatever it says.
const LINE_NANOS: f64 = 700.0;
/// Of one byte of it.
const BYTE_NANOS: f64 = 70.0;
/// Of one event that is pushed.
const EVENT_NANOS: f64 = 800.0;
/// Of the commands of a burst themselves, authentication included.
const BURST_NANOS: f64 = 40_000.0;
/// Of reading the server's counters once, for `calibrate`.
const GAUGE_NANOS: f64 = 30_000.0;
/// What stands around the arguments of a line costs little.
const HEAD_BYTES: usize = 45;

/// Time of the server's main thread, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(super) struct Cost(pub(super) f64);

impl Cost {
    /// Of the commands of a burst that sees nothing.
    #[must_use]
    pub(super) fn of_a_burst() -> Self {
        Self(BURST_NANOS * 1e-9)
    }
}

/// What came in a burst, as far as it cost the server something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Lines.
    pub(super) lines: u64,
    /// Bytes of their arguments, as they were told.
    pub(super) bytes: u64,
    /// Events.
    pub(super) events: u64,
    /// Bytes of the longest line.
    pub(super) longest: u64,
    /// How often the server's counters were read.
    pub(super) gauges: u64,
}

impl Weight {
    /// Adds a line of so many bytes.
    pub(super) fn line(&mut self, bytes: usize) {
        let bytes = bytes.saturating_sub(HEAD_BYTES) as u64;
        self.lines += 1;
        self.bytes += bytes;
        self.longest = self.longest.max(bytes);
    }

    /// Adds an event.
    pub(super) fn event(&mut self) {
        self.events += 1;
    }

    /// What reading the counters cost.
    pub(super) fn gauges(&self) -> f64 {
        self.gauges as f64 * GAUGE_NANOS * 1e-9
    }

    /// What telling cost, by what was measured on Redis 7.0.15.
    #[must_use]
    pub(super) fn cost(&self) -> Cost {
        let nanos = self.lines as f64 * LINE_NANOS
            + self.bytes as f64 * BYTE_NANOS
            + self.events as f64 * EVENT_NANOS;
        Cost(nanos * 1e-9)
    }
}
