//! The source `prometheus`: raw samples and signals from a Prometheus server, at fixed times.

use std::time::Duration;

use cachescope_model::metrics::{MetricsBatch, Sample, SignalValue};
use cachescope_model::observation::Observed;
use cachescope_model::source::{SourceHealth, SourceId};
use futures::{FutureExt, StreamExt, stream};
use tokio::time::{Instant, MissedTickBehavior};

use super::answer::Value;
use super::query::{PrometheusClient, Queried};
use crate::context::SourceContext;
use crate::error::{ErrorCode, SourceError};
use crate::http::HttpOptions;

/// How far back the first questions reach, so that windows and spark lines fill at once.
const FIRST_SPAN: Duration = Duration::from_secs(15 * 60);

/// How much longer than the gap a question reaches: a scrape's samples carry its start and appear at its end,
/// by default up to ten seconds later.
const OVERLAP: Duration = Duration::from_secs(15);

/// Queries under way at once.
const CONCURRENCY: usize = 4;

/// Which server is asked, and how.
#[derive(Clone)]
pub struct PrometheusTarget {
    /// Its base address; name and password in it are used and never shown.
    pub url: String,
    /// How it is reached.
    pub http: HttpOptions,
    /// How often.
    pub interval: Duration,
}

impl PrometheusTarget {
    /// The server at `url`, every five seconds.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), http: HttpOptions::default(), interval: Duration::from_secs(5) }
    }
}

impl std::fmt::Debug for PrometheusTarget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the URL: it may hold a password.
        formatter.debug_struct("PrometheusTarget").field("interval", &self.interval).finish_non_exhaustive()
    }
}

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrometheusQueries {
    /// Selectors of counters, gauges and histograms whose raw samples are wanted. See [`super::names`].
    pub selectors: Vec<String>,
    /// The strategy's signals: name and query, which must give one value.
    pub signals: Vec<(String, String)>,
}

/// What one round of questions gave.
#[derive(Default)]
struct Round {
    endpoint: String,
    samples: Vec<Sample>,
    signals: Vec<SignalValue>,
    answered: usize,
    errors: Vec<SourceError>,
    remarks: Vec<String>,
}

/// An answer, by the place of its question.
enum Reply {
    Samples(usize, Result<Queried<Vec<Sample>>, SourceError>),
    Signal(usize, Result<Queried<Value>, SourceError>),
}

/// Asks at fixed times until cancelled. A round that takes longer than the interval skips the times it missed.
/// Trouble is reported as a status, and the server is asked again at the next time, for all that was missed
/// up to 15 minutes.
pub async fn run(context: SourceContext, target: PrometheusTarget, queries: PrometheusQueries) {
    let mut ticks = tokio::time::interval(target.interval.max(Duration::from_millis(100)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut going = context.status(SourceId::Prometheus, SourceHealth::Starting, "", "").await;
    let mut client = None;
    let mut reach: Vec<Reach> = queries.selectors.iter().map(|_| Reach::default()).collect();
    while going {
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let round = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return,
            round = ask(&mut client, &target, &queries, &mut reach, &context) => round,
        };
        going = match round {
            Ok(round) => deliver(&context, !queries.selectors.is_empty(), round).await,
            Err(error) => failed(&context, &error).await,
        };
    }
}

/// How far back the next question for a selector reaches.
struct Reach {
    /// When the last question was asked whose answer arrived.
    since: Option<Instant>,
    /// How far back the first question reaches: less than [`FIRST_SPAN`] where the server found that too much.
    first: Duration,
}

impl Default for Reach {
    fn default() -> Self {
        Self { since: None, first: FIRST_SPAN }
    }
}

impl Reach {
    fn span(&self, now: Instant) -> Duration {
        // Whole seconds: a fraction more does not matter and makes the query legible.
        let gap = |since| Duration::from_secs((now.duration_since(since) + OVERLAP).as_secs() + 1);
        self.since.map_or(self.first, |since| gap(since).min(self.first))
    }

    fn answered(&mut self, asked: Instant) {
        self.since = Some(asked);
    }

    fn failed(&mut self, error: &SourceError) {
        if error.kind() == ErrorCode::TooLarge {
            self.first = (self.first / 3).max(OVERLAP);
        }
    }
}

async fn ask(
    client: &mut Option<PrometheusClient>,
    target: &PrometheusTarget,
    queries: &PrometheusQueries,
    reach: &mut [Reach],
    context: &SourceContext,
) -> Result<Round, SourceError> {
    let client = match client {
        Some(client) => &*client,
        // It is made again until it can be: its certificate files may come later.
        None => client.insert(PrometheusClient::new(&target.url, target.http.clone())?),
    };
    let asked = Instant::now();
    let of_selectors = queries.selectors.iter().zip(&*reach).enumerate().map(|(place, (selector, reach))| {
        let span = reach.span(asked);
        async move { Reply::Samples(place, client.range_samples(selector, span).await) }.boxed()
    });
    let of_signals = queries.signals.iter().enumerate().map(|(place, (_, promql))| {
        async move { Reply::Signal(place, client.instant(promql, None).await) }.boxed()
    });
    let questions: Vec<_> = of_selectors.chain(of_signals).collect();
    let mut replies = stream::iter(questions).buffer_unordered(CONCURRENCY);
    let mut round = Round { endpoint: client.address().to_owned(), ..Round::default() };
    while let Some(reply) = replies.next().await {
        match reply {
            Reply::Samples(place, Ok(queried)) => {
                reach[place].answered(asked);
                round.answered += 1;
                round.samples.extend(queried.value);
                round.remarks.extend(queried.warnings);
            }
            Reply::Samples(place, Err(error)) => {
                reach[place].failed(&error);
                round.errors.push(error);
            }
            Reply::Signal(place, Ok(queried)) => {
                round.answered += 1;
                round.signal(&queries.signals[place].0, queried, context);
            }
            Reply::Signal(_, Err(error)) => round.errors.push(error),
        }
    }
    Ok(round)
}

impl Round {
    fn signal(&mut self, signal: &str, queried: Queried<Value>, context: &SourceContext) {
        let latest = match queried.value {
            Value::Scalar(at, value) => Some((at, value)),
            Value::Series(series) if series.len() > 1 => {
                let count = series.len();
                self.remarks.push(format!(
                    "the signal {signal:?} gives {count} values where one is needed: aggregate it, for instance \
                     with max()"
                ));
                None
            }
            Value::Series(series) => series.first().and_then(|series| series.points.last().copied()),
        };
        // 0/0 is NaN in PromQL: no traffic, so no value.
        let value = latest.map(|(_, value)| value).filter(|value| !value.is_nan());
        let at = latest.map_or_else(|| context.clock.now(), |(at, _)| at);
        self.signals.push(SignalValue { signal: signal.to_owned(), value, at });
        self.remarks.extend(queried.warnings);
    }
}

async fn failed(context: &SourceContext, error: &SourceError) -> bool {
    context.status(SourceId::Prometheus, SourceHealth::Failed, error.to_string(), error.remedy()).await
}

async fn deliver(context: &SourceContext, samples_wanted: bool, round: Round) -> bool {
    let Round { endpoint, samples, signals, answered, errors, remarks } = round;
    if let (0, Some(error)) = (answered, errors.first()) {
        return failed(context, error).await;
    }
    let nothing_found = samples.is_empty() && samples_wanted;
    if !samples.is_empty() {
        let batch = MetricsBatch { endpoint: endpoint.clone(), samples, bad_lines: 0 };
        if !context.send(Observed::Metrics(batch)).await {
            return false;
        }
    }
    if !signals.is_empty() && !context.send(Observed::Signals(signals)).await {
        return false;
    }
    let (health, detail, remedy) = match (errors.first(), remarks.into_iter().next()) {
        (Some(error), _) => (SourceHealth::Partial, error.to_string(), error.remedy().to_owned()),
        (None, Some(remark)) => (SourceHealth::Partial, remark, String::new()),
        (None, None) if nothing_found => (
            SourceHealth::Partial,
            format!("Prometheus at {endpoint} has none of the cache's series"),
            "see whether it scrapes the application, and name its metrics in the strategy file".to_owned(),
        ),
        (None, None) => (SourceHealth::Ok, String::new(), String::new()),
    };
    context.status(SourceId::Prometheus, health, detail, remedy).await
}
