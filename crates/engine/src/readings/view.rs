//! What is the same for every row of a snapshot: ranges, coverage, losses and reasons.

use cachescope_model::scan::ScanMode;
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;

use super::execution::Sampled;
use super::execution_times::TimesView;
use super::reasons::Reasons;
use super::repeated::Repeated;
use super::sampled::SampleView;
use crate::applications::Way;
use crate::engine::Engine;
use crate::events::EVENT_KINDS;
use crate::server::{LEFT_AFTER_MILLIS, PAIRS, named};
use crate::window::Range;

/// Shorter than this, no share of a window is worth a figure.
pub(super) const LEAST_SECONDS: f64 = 0.5;
/// A loss above this share makes event counts estimates.
const TOLERATED_LOSS: f64 = 0.001;

/// Counters of the server over the window.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerView {
    pub(super) range: Range,
    pub(super) seconds: f64,
    pub(super) source: &'static str,
    /// Why some of the window is missing.
    pub(super) remark: Option<String>,
    /// What is taken for granted of servers that were not heard for some of the window.
    pub(super) assumption: Option<String>,
}

/// One kind of events over the window.
#[derive(Clone, Debug, Default)]
pub(super) struct EventView {
    /// Seconds for which they are known; 0 where they are not received.
    pub(super) seconds: f64,
    /// Seconds since they are received, at most the window.
    pub(super) span: f64,
    /// Events that the server counted and that did not arrive, over the whole deployment.
    pub(super) missing: f64,
    /// Why they are estimates; `None` where every one is known.
    pub(super) remark: Option<String>,
}

/// One way's counters of the application over the window.
#[derive(Clone, Debug, Default)]
pub(super) struct WayView {
    pub(super) range: Range,
    /// Whether it still delivers. Then a label without series (its application was restarted and has not
    /// counted it since) has no traffic.
    pub(super) fresh: bool,
    pub(super) end_ms: i64,
    pub(super) seconds: f64,
    /// Seconds of which the counting is lost.
    pub(super) lost_seconds: f64,
    pub(super) remark: Option<String>,
}

/// Everything shared.
pub(crate) struct View<'e> {
    pub(super) now_ms: i64,
    pub(super) server: ServerView,
    pub(super) events_range: Range,
    pub(super) events: [EventView; EVENT_KINDS],
    pub(super) sample: SampleView,
    pub(super) ways: [Option<WayView>; 2],
    /// By which most of the application's labels are counted.
    pub(super) main_way: Option<Way>,
    pub(super) times: TimesView,
    pub(super) reasons: Reasons<'e>,
    /// What the slow-log sample says.
    pub(super) sampled: Sampled,
    /// How a figure of the last complete scan is called, and seconds since then.
    pub(super) scan: Option<(String, f64)>,
    /// Words that rows have in common.
    pub(super) repeated: Repeated,
}

impl<'e> View<'e> {
    pub(super) fn new(engine: &'e Engine, now: Timestamp, window: Window) -> Self {
        let now_ms = now.millis().clamp(0, engine.now_ms.saturating_add(86_400_000)).max(engine.now_ms);
        let seconds = window.seconds();
        let second = now_ms.div_euclid(1000);
        let events_range = engine.frame.range(second, seconds);
        let events = [0, 1, 2].map(|kind| event_view(engine, &events_range, kind));
        let reasons = Reasons::new(engine, now_ms);
        let why = [&reasons.sample, &reasons.events[0]];
        Self {
            now_ms,
            repeated: Repeated::default(),
            sampled: Sampled::new(engine, &events_range, reasons.slow_log.clone()),
            server: server_view(engine, now_ms, seconds),
            sample: SampleView::new(engine, now_ms, seconds, &events[0], why),
            events,
            events_range,
            ways: Way::ALL.map(|way| way_view(engine, way, now_ms, seconds)),
            main_way: engine.applications.main_way(),
            times: TimesView::new(engine, now_ms, seconds, &reasons.info),
            reasons,
            scan: engine.scans.complete.map(|complete| {
                let age = (now_ms - complete.at_ms).max(0) as f64 / 1000.0;
                let how = match complete.mode {
                    ScanMode::Exact => "exact scan",
                    ScanMode::Precise { .. } if !complete.whole => "scan of a part of the keys",
                    _ => "sampled scan",
                };
                let running = if engine.scans.is_running() { "; the next one runs" } else { "" };
                let without = match engine.scans.without.as_str() {
                    "" => String::new(),
                    without => format!(", without the keys of {without}"),
                };
                (format!("{how}, {} ago{without}{running}", words(age)), age)
            }),
        }
    }
}

/// A span of time as people say it.
pub(super) fn words(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3_600.0),
    }
}

fn server_view(engine: &Engine, now_ms: i64, seconds: u32) -> ServerView {
    let direct = engine.server.newest_ms();
    let exporter = engine.server.exporter.newest_ms();
    let (source, newest) = match (direct, exporter) {
        (Some(direct), None) => ("INFO", direct),
        (Some(direct), Some(exporter)) if direct + LEFT_AFTER_MILLIS >= exporter => ("INFO", direct),
        (_, Some(exporter)) => ("redis_exporter", exporter),
        (None, None) => ("INFO", now_ms),
    };
    // The window ends with the last reply, unless that is so old that it is no longer now.
    let patience = if source == "INFO" { 5_000 } else { 150_000 };
    let end_ms = if now_ms - newest <= patience { newest } else { now_ms };
    let range = engine.frame.range((end_ms - 1).div_euclid(1000), seconds);
    let covered = engine.server.covered_seconds(&range);
    let from_ms = end_ms - i64::from(seconds) * 1000;
    let resets = engine.server.nodes().iter().filter_map(|node| node.reset.map(|reset| (node, reset)));
    let reset = resets.filter(|(_, (at_ms, _))| *at_ms > from_ms).max_by_key(|(_, (at_ms, _))| *at_ms);
    let remark = reset.map(|(node, (at_ms, why))| {
        let ago = words((now_ms - at_ms) as f64 / 1000.0);
        format!("{}: {why} {ago} ago; what was counted meanwhile is not known", node.name)
    });
    let unheard = engine.server.unheard(&range);
    let assumption = unheard.first().map(|(_, seconds)| {
        let names: Vec<&str> = unheard.iter().map(|(node, _)| &*node.name).collect();
        let longest = words(*seconds);
        format!(
            "assumes that {} served nobody while not heard, up to {longest} of this window",
            named(&names)
        )
    });
    ServerView { range, seconds: covered, source, remark, assumption }
}

fn event_view(engine: &Engine, range: &Range, kind: usize) -> EventView {
    let serving: Vec<_> = engine.server.serving_kind(kind).filter(|node| node.may_be_heard()).collect();
    let listening = || serving.iter().filter(|node| node.subscription.began);
    let sinces: Vec<Option<i64>> = listening().map(|node| node.subscription.since(kind)).collect();
    // Every node has to be heard: what one keeps to itself is missing from the sum.
    let Some(since_ms) =
        sinces.iter().copied().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min())
    else {
        return EventView::default();
    };
    let since_span = (engine.now_ms - since_ms).max(0) as f64 / 1000.0;
    let span = since_span.min(range.seconds_until(engine.now_ms));
    let gaps: Vec<(&str, f64)> = serving
        .iter()
        .map(|node| {
            let joined = engine.now_ms.saturating_sub(node.since_ms()).max(0) as f64 / 1000.0;
            let since = node.subscription.since(kind).map_or(0, |since_ms| engine.now_ms - since_ms);
            let covered = node.subscription.covered_seconds(range).min(since.max(0) as f64 / 1000.0);
            (&*node.name, (span.min(joined) - covered).max(0.0))
        })
        .collect();
    // A node that was not heard is taken to have announced as much as the others.
    let covered = span - gaps.iter().map(|(_, gap)| gap).sum::<f64>() / gaps.len() as f64;
    let (_, gap) =
        gaps.iter().copied().fold(("", 0.0), |one, other| if other.1 > one.1 { other } else { one });
    let unheard: Vec<_> =
        gaps.iter().filter(|(_, gap)| *gap > LEAST_SECONDS).map(|(name, _)| *name).collect();
    let (server, counted) = PAIRS[kind];
    let server = engine.server.tally.sum(server, range) as f64;
    let counted = engine.server.tally.sum(counted, range) as f64;
    let tolerated: u64 = engine.server.serving().map(|node| node.last_poll[kind]).sum();
    let missing = (server - counted - tolerated as f64).max(0.0);
    let remark = if gap > LEAST_SECONDS {
        let of = if serving.len() > 1 { format!(" of {}", named(&unheard)) } else { String::new() };
        Some(format!("events{of} were not received for {} of this window", words(gap)))
    } else if missing > TOLERATED_LOSS * server {
        Some(format!("{missing:.0} of {server:.0} that the server counted were not announced to us"))
    } else {
        None
    };
    let missing = if remark.is_some() { missing } else { 0.0 };
    EventView { seconds: covered, span, missing, remark }
}

fn way_view(engine: &Engine, way: Way, now_ms: i64, seconds: u32) -> Option<WayView> {
    let reach = engine.applications.reach(way, now_ms)?;
    let range = engine.frame.range((reach.end_ms - 1).div_euclid(1000), seconds);
    let covered = engine.applications.covered_seconds(way, &range);
    let lost = engine.applications.lost_millis(way, &range);
    let remark = (lost > 0).then(|| {
        format!(
            "the application's counters began anew within this window; up to {} of counting is lost",
            words(lost as f64 / 1000.0)
        )
    });
    Some(WayView {
        range,
        fresh: reach.fresh,
        end_ms: reach.end_ms,
        seconds: covered,
        lost_seconds: lost as f64 / 1000.0,
        remark,
    })
}
