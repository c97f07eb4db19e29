//! How long to wait before trying a server again.

use std::time::Duration;

use rand::RngExt;

/// Exponential backoff with jitter, so that many sources of one server don't come back in step.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at `first` and doubles up to `most`.
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The next pause: between half and all of the current step.
    pub(crate) fn pause(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.most);
        step.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// It worked: start small again.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

impl Default for Backoff {
    /// A server that restarts is seen again within seconds; one that stays away is asked six times a minute.
    fn default() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_most_and_start_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500));
        for step in [100, 200, 400, 500, 500] {
            let pause = backoff.pause();
            assert!(
                (step / 2..=step).contains(&u64::try_from(pause.as_millis()).expect("small")),
                "{pause:?}"
            );
        }
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(100));
    }
}
