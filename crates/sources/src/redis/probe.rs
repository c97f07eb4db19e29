//! Probe: our own round trips on keys that were seen to exist, as an application's reads would take.
//!
//! One key a turn, at most 20 turns a second over all servers of a session. How long it rests in between follows
//! from what the round trip took more than the quickest one: that is what the server spent or kept us waiting,
//! and it shall not be more than 1 % of the time. So a server under strain is probed seldom, and a distant one is
//! not: distance costs it nothing. `probe_key` says what is asked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cachescope_model::observation::Observed;
use cachescope_model::sample::ProbeCandidate;
use cachescope_model::source::{SourceHealth, SourceId};
use tokio::sync::{Mutex, watch};
use tokio::time::{Interval, MissedTickBehavior};

use super::backoff::Backoff;
use super::info::report;
use super::node::RedisNode;
use super::probe_key::{Prober, Seen};
use crate::context::SourceContext;

/// Turns a second over all servers.
const MOST_A_SECOND: u32 = 20;
/// Share of the server's time that may be ours.
const SERVER_SHARE: f64 = 0.01;
/// Share of the time for which the others of our sources may have to wait for us.
const GATE_SHARE: f64 = 0.1;
/// What a probe costs the server at least, in seconds: reading, looking up, answering.
const LEAST_COST: f64 = 50e-6;
/// Rests are never longer.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Round trips of which the quickest is taken for the distance.
const REMEMBERED: usize = 128;
/// How often is looked for keys where there are none.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Lets the probes of all servers of a session take turns.
#[derive(Debug)]
pub struct ProbeBudget {
    turns: Mutex<Interval>,
}

impl ProbeBudget {
    /// At most this many turns a second altogether. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(most_a_second: u32) -> Self {
        let mut turns = tokio::time::interval(Duration::from_secs(1) / most_a_second.max(1));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { turns: Mutex::new(turns) }
    }

    async fn turn(&self) {
        self.turns.lock().await.tick().await;
    }
}

impl Default for ProbeBudget {
    fn default() -> Self {
        Self::new(MOST_A_SECOND)
    }
}

/// How probes are to be made.
#[derive(Clone, Debug)]
pub struct ProbeOptions {
    /// Keys that were seen to exist, of every server.
    pub candidates: watch::Receiver<Arc<Vec<ProbeCandidate>>>,
    /// Shared by the probes of all servers of a session.
    pub budget: Arc<ProbeBudget>,
    /// GET also where that makes a key look used (the server has no CLIENT NO-TOUCH). For tests, and servers whose
    /// eviction doesn't look at that.
    pub may_touch: bool,
}

/// Probes until cancelled. What is under way then is finished and counted.
pub async fn run(context: SourceContext, node: Arc<RedisNode>, options: ProbeOptions) {
    let mut prober = Prober::new(options.may_touch);
    let mut backoff = Backoff::default();
    let mut rest = Rest::default();
    let mut next = 0usize;
    context.status(SourceId::Probe, SourceHealth::Starting, "", "").await;
    while !context.cancel.is_cancelled() {
        let Some(candidate) = choose(&options, &context, &mut next) else {
            let detail = "no key is known to exist yet: scans and the sample of the commands tell of some";
            if !context.status(SourceId::Probe, SourceHealth::Partial, detail, "").await
                || !context.sleep(LOOK_AGAIN).await
            {
                return;
            }
            continue;
        };
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => return,
            () = options.budget.turn() => {}
        }
        // Not to be dropped half-way: what was asked and not counted would look like traffic of others.
        let probed = prober.probe(&node, &candidate).await;
        let (pause, wanted) = match probed {
            Ok(seen) => {
                backoff.reset();
                let pause = rest.after(Duration::from_secs_f64(seen.probed.seconds.max(0.0)));
                (pause, tell(&context, &prober, candidate, seen).await)
            }
            Err(error) => {
                prober.forget();
                (backoff.pause(), report(&context, SourceId::Probe, &error).await)
            }
        };
        if !wanted || !context.sleep(pause).await {
            return;
        }
    }
}

async fn tell(context: &SourceContext, prober: &Prober, candidate: ProbeCandidate, seen: Seen) -> bool {
    if seen.missed {
        let (database, key) = (candidate.database, candidate.key);
        if !context.send(Observed::OwnMiss { database, key }).await {
            return false;
        }
    }
    if !context.send(Observed::Probes(vec![seen.probed])).await {
        return false;
    }
    match prober.partial() {
        Some((detail, remedy)) => {
            context.status(SourceId::Probe, SourceHealth::Partial, detail, remedy).await
        }
        None => context.status(SourceId::Probe, SourceHealth::Ok, "", "").await,
    }
}

/// The next key of this server, in turn.
fn choose(options: &ProbeOptions, context: &SourceContext, next: &mut usize) -> Option<ProbeCandidate> {
    let candidates = options.candidates.borrow();
    let here = || candidates.iter().filter(|candidate| candidate.node == context.node);
    let count = here().count();
    let place = (*next).checked_rem(count)?;
    *next = place + 1;
    here().nth(place).cloned()
}

/// How long to rest after a probe.
#[derive(Debug, Default)]
struct Rest {
    recent: VecDeque<f64>,
}

impl Rest {
    fn after(&mut self, round_trip: Duration) -> Duration {
        let seconds = round_trip.as_secs_f64();
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(seconds);
        let distance = self.recent.iter().copied().fold(f64::INFINITY, f64::min);
        let cost = (seconds - distance).max(LEAST_COST);
        let rest = (cost * (1.0 / SERVER_SHARE - 1.0)).max(seconds * (1.0 / GATE_SHARE - 1.0));
        Duration::try_from_secs_f64(rest).unwrap_or(LONGEST_REST).min(LONGEST_REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_under_strain_is_probed_seldom_and_a_distant_one_is_not() {
        let mut near = Rest::default();
        assert!(near.after(Duration::from_micros(200)) < Duration::from_millis(50));
        let strained = near.after(Duration::from_millis(100));
        assert!(strained > Duration::from_secs(9), "99 times the 99.8 ms that it took longer: {strained:?}");
        assert_eq!(near.after(Duration::from_secs(5)), LONGEST_REST);
        let mut distant = Rest::default();
        for _ in 0..10 {
            let rest = distant.after(Duration::from_millis(80));
            assert_eq!(rest.as_millis(), 720, "a tenth of the time, for the sake of our other sources");
        }
    }

    #[tokio::test]
    async fn all_servers_together_get_the_turns_of_one() {
        let budget = Arc::new(ProbeBudget::new(1_000));
        let began = std::time::Instant::now();
        let turns = (0..4).map(|_| {
            let budget = Arc::clone(&budget);
            tokio::spawn(async move {
                for _ in 0..10 {
                    budget.turn().await;
                }
            })
        });
        for turns in turns.collect::<Vec<_>>() {
            turns.await.expect("takes its turns");
        }
        // The first comes at once; a timer may be late, never early.
        assert!(began.elapsed().as_millis() >= 39, "{:?}", began.elapsed());
    }
}
