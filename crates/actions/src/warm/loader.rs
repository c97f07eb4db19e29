//! One request, repeated where that may help: a bounded number of times, after a pause with jitter or as long as the
//! endpoint asks for. What no repetition mends halts the run with its sentence.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cachescope_sources::error::ErrorCode;
use cachescope_sources::http::{Call, CallOptions, Caller};
use cachescope_sources::redis::TlsOptions;
use parking_lot::Mutex;

use super::plan::{Endpoint, Success, WarmLimits};
use crate::failure::{Failure, FailureKind};

/// The first pause before a repetition; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long a connection's set-up may take.
const CONNECT: Duration = Duration::from_secs(5);

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Loaded {
    /// The endpoint says that it is done.
    Good,
    /// It failed, for the reason in one sentence.
    Bad(String),
    /// No further one will do better.
    Hopeless(Failure),
}

/// Sends requests and repeats them.
#[derive(Debug)]
pub(crate) struct Loader {
    caller: Caller,
    retries: u32,
    /// Bytes of all answers.
    pub(crate) bytes: AtomicU64,
    /// Requests sent, repetitions among them.
    pub(crate) requests: AtomicU64,
    /// Until when the endpoint asks to be left alone.
    hold: Mutex<Option<Instant>>,
}

impl Loader {
    pub(crate) fn new(endpoint: &Endpoint, limits: &WarmLimits, tls: &TlsOptions) -> Result<Self, Failure> {
        let timeout = Duration::from_millis(u64::from(limits.timeout_ms));
        let options = CallOptions {
            tls: tls.clone(),
            connect_timeout: CONNECT.min(timeout),
            timeout,
            max_bytes: limits.most_bytes_of_answer as usize,
            private_addresses: endpoint.private_addresses,
        };
        // What stands for fields is after the host, which is all that is read here.
        let sample: String = endpoint.url.chars().filter(|c| !matches!(c, '{' | '}')).collect();
        let caller = Caller::new(&sample, &options)
            .map_err(|error| Failure::new(FailureKind::BadInput, error.to_string(), error.remedy()))?;
        Ok(Self {
            caller,
            retries: limits.retries,
            bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            hold: Mutex::new(None),
        })
    }

    /// How long the endpoint still wants to be left alone.
    pub(crate) fn held(&self) -> Option<Duration> {
        let until = (*self.hold.lock())?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Sends it.
    pub(crate) async fn load(&self, call: &Call, success: &Success) -> Loaded {
        let mut tries = 0;
        loop {
            self.requests.fetch_add(1, Ordering::Relaxed);
            let why = match self.caller.call(call).await {
                Ok(called) => {
                    self.bytes.fetch_add(called.bytes, Ordering::Relaxed);
                    if success.is_good(called.status) {
                        return Loaded::Good;
                    }
                    if let Some(wait) = called.retry_after {
                        self.hold(wait);
                    }
                    let why = format!("the endpoint answers with status {}", called.status);
                    match called.status {
                        401 | 403 => {
                            let remedy = "see that the plan's secret is the right one";
                            return Loaded::Hopeless(Failure::server(why, remedy));
                        }
                        408 | 425 | 429 | 500 | 502..=504 => why,
                        _ => return Loaded::Bad(why),
                    }
                }
                Err(error) => match error.kind() {
                    ErrorCode::Timeout | ErrorCode::Closed | ErrorCode::Refused | ErrorCode::Unreachable => {
                        error.to_string()
                    }
                    ErrorCode::TooLarge => return Loaded::Bad(error.to_string()),
                    _ => return Loaded::Hopeless(error.into()),
                },
            };
            if tries >= self.retries {
                return Loaded::Bad(why);
            }
            let pause = FIRST_PAUSE * 2_u32.saturating_pow(tries.min(8));
            tries += 1;
            let jittered = pause.mul_f64(rand::random_range(0.5..1.5));
            tokio::time::sleep(self.held().unwrap_or_default().max(jittered)).await;
        }
    }

    fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut hold = self.hold.lock();
        *hold = Some(hold.map_or(until, |before| before.max(until)));
    }
}

/// At most so many a minute, evenly.
#[derive(Debug)]
pub(crate) struct Rate {
    apart: Duration,
    next: Instant,
}

/// What was not sent is made up for by this much at most.
const CAUGHT_UP: Duration = Duration::from_millis(100);

impl Rate {
    pub(crate) fn new(per_minute: u32, now: Instant) -> Self {
        Self { apart: Duration::from_secs(60) / per_minute.max(1), next: now }
    }

    /// Takes the right to send one, or says how long to wait for it.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        if self.next > now {
            return Err(self.next - now);
        }
        let earliest = now.checked_sub(CAUGHT_UP.min(self.apart * 8)).unwrap_or(now);
        self.next = self.next.max(earliest) + self.apart;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_requests_than_the_rate_and_what_was_not_sent_is_not_sent_at_once() {
        let began = Instant::now();
        let mut rate = Rate::new(600, began);
        let mut sent = Vec::new();
        // Every millisecond for five seconds, with a pause of two in which nobody asks.
        for ms in (0..2_000_u64).chain(4_000..7_000) {
            if rate.take(began + Duration::from_millis(ms)).is_ok() {
                sent.push(ms);
            }
        }
        for from in 0..6_000 {
            let within = sent.iter().filter(|at| (from..from + 1_000).contains(*at)).count();
            assert!(within <= 11, "{within} from {from}");
        }
        assert!(sent.len() >= 49, "{}", sent.len());
    }
}
