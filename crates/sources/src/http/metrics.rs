//! The source `metrics`: an application's or exporter's exposition page, fetched at fixed times.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cachescope_model::metrics::MetricsBatch;
use cachescope_model::observation::Observed;
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_model::time::Timestamp;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::client::{HttpClient, HttpOptions};
use crate::context::{SessionClock, SourceContext};
use crate::error::{ErrorCode, SourceError};
use crate::prometheus::exposition::{Incoming, KnownSeries, Page};

/// What we ask for: the order is Prometheus's, without its binary format.
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0,\
    application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Pieces of a page that may wait to be read, some ten kilobytes each.
const PIECES_WAITING: usize = 8;

/// Decides by its name whether a metric can matter.
pub type AcceptName = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Which page is fetched, and how.
#[derive(Clone)]
pub struct MetricsTarget {
    /// The page's address; name and password in it are used and never shown.
    pub url: String,
    /// How it is reached.
    pub http: HttpOptions,
    /// How often.
    pub interval: Duration,
    /// Which metrics are kept.
    pub accept: AcceptName,
}

impl MetricsTarget {
    /// The page at `url`, every five seconds, every metric of it.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            http: HttpOptions { timeout: Duration::from_secs(5), ..HttpOptions::default() },
            interval: Duration::from_secs(5),
            accept: Arc::new(|_| true),
        }
    }
}

impl std::fmt::Debug for MetricsTarget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the URL: it may hold a password.
        formatter.debug_struct("MetricsTarget").field("interval", &self.interval).finish_non_exhaustive()
    }
}

/// Fetches and reads the page once.
///
/// # Errors
/// When it can't be fetched, is an HTML page or in Prometheus's binary format. Lines that can't be read are no
/// error: they stand in the page.
pub async fn scrape(target: &MetricsTarget) -> Result<Page, SourceError> {
    let client = HttpClient::new(&target.url, target.http.clone())?;
    scrape_with(&client, target, SessionClock::start().now(), &mut KnownSeries::default()).await
}

async fn scrape_with(
    client: &HttpClient,
    target: &MetricsTarget,
    at: Timestamp,
    known: &mut KnownSeries,
) -> Result<Page, SourceError> {
    let mut answer = client.get_in_pieces(ACCEPT).await?;
    let address = client.address();
    let content_type = answer.content_type();
    let accept = Arc::clone(&target.accept);
    // Where the fetch fails they are lost, and are read anew from the next page.
    let last_time = std::mem::take(known);
    let (pieces, mut arriving) = mpsc::channel::<Bytes>(PIECES_WAITING);
    // A large page takes longer to read than a task may hold its thread.
    let reading = tokio::task::spawn_blocking(move || {
        let mut incoming = Incoming::new(content_type.as_deref(), at).knowing(last_time);
        while let Some(piece) = arriving.blocking_recv() {
            incoming.push(&piece, &*accept);
        }
        incoming.finish(&*accept)
    });
    while let Some(piece) = answer.piece().await? {
        if pieces.send(piece).await.is_err() {
            break; // the reader is gone: it says below why
        }
    }
    drop(pieces);
    let page;
    (page, *known) = reading.await.map_err(|error| {
        SourceError::new(ErrorCode::Protocol, format!("{address} could not be read: {error}"), String::new())
    })?;
    if page.is_html() {
        let sentence = format!("{address} is an HTML page, not metrics");
        return Err(SourceError::new(
            ErrorCode::Protocol,
            sentence,
            "try the address that ends with /metrics",
        ));
    }
    match page.bad_lines.first() {
        Some(bad) if page.is_unreadable() => {
            Err(SourceError::new(ErrorCode::Protocol, format!("{address}: {}", bad.error), String::new()))
        }
        _ => Ok(page),
    }
}

/// Fetches the page at fixed times until cancelled. A fetch that takes longer than the interval skips the
/// times it missed. Trouble is reported as a status, and the page is tried again at the next time.
pub async fn run(context: SourceContext, target: MetricsTarget) {
    let mut ticks = tokio::time::interval(target.interval.max(Duration::from_millis(100)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut going = context.status(SourceId::Metrics, SourceHealth::Starting, "", "").await;
    let (mut client, mut known) = (None, KnownSeries::default());
    while going {
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let at = context.clock.now();
        let fetched = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return,
            fetched = fetch(&mut client, &target, at, &mut known) => fetched,
        };
        going = match fetched {
            Ok((endpoint, page)) => deliver(&context, at, endpoint, page).await,
            Err(error) => {
                let (words, remedy) = (error.to_string(), error.remedy());
                context.status(SourceId::Metrics, SourceHealth::Failed, words, remedy).await
            }
        };
    }
}

/// The client is made again until it can be: its certificate files may come later.
async fn fetch(
    client: &mut Option<HttpClient>,
    target: &MetricsTarget,
    at: Timestamp,
    known: &mut KnownSeries,
) -> Result<(String, Page), SourceError> {
    if client.is_none() {
        *client = Some(HttpClient::new(&target.url, target.http.clone())?);
    }
    let Some(client) = client else { return Ok((String::new(), Page::default())) };
    let page = scrape_with(client, target, at, known).await?;
    Ok((client.address().as_str().to_owned(), page))
}

async fn deliver(context: &SourceContext, at: Timestamp, endpoint: String, page: Page) -> bool {
    let (health, detail, remedy) = health_of(&endpoint, &page);
    let batch = MetricsBatch { endpoint, samples: page.samples, bad_lines: page.bad_line_count };
    context.send_at(at, Observed::Metrics(batch)).await
        && context.status(SourceId::Metrics, health, detail, remedy).await
}

fn health_of(endpoint: &str, page: &Page) -> (SourceHealth, String, String) {
    if let Some(bad) = page.bad_lines.first() {
        let count = page.bad_line_count;
        let lines = if count == 1 { "1 line".to_owned() } else { format!("{count} lines") };
        let detail = format!(
            "{lines} of {endpoint} can't be read, so Prometheus would drop the whole page; line {}: {}",
            bad.line, bad.error
        );
        let remedy = format!("cachescope scrape {endpoint} lists them");
        return (SourceHealth::Partial, detail, remedy);
    }
    if page.unread_bytes > 0 {
        let detail = format!(
            "a NUL byte stands in {endpoint}, and like Prometheus we stop reading there, {} bytes before its end",
            page.unread_bytes
        );
        return (SourceHealth::Partial, detail, String::new());
    }
    if page.samples.is_empty() {
        let (detail, remedy) = match page.not_accepted {
            0 => (format!("{endpoint} holds no series"), "see whether the application counts its cache"),
            others => (
                format!("none of the {others} samples of {endpoint} has a cache metric's name"),
                "name the application's metrics in the strategy file",
            ),
        };
        return (SourceHealth::Partial, detail, remedy.to_owned());
    }
    (SourceHealth::Ok, String::new(), String::new())
}
