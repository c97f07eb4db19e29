//! What misses say beyond their number: keys that nobody fills, and what would have kept the others.

use cachescope_model::misses::{DelayClass, Delays, KeyMemory, MissInsights};
use cachescope_model::snapshot::{Finding, MissCauses};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;

use super::findings::finding;
use super::view::{View, words};
use super::{add, causes};
use crate::engine::Engine;
use crate::events::{AFTER_EVICTION, AFTER_EXPIRY, BOUNDS_MILLIS};
use crate::rows::Row;
use crate::server::Node;
use crate::window::{Count, Range};

/// Fewer misses in a window than this are no pattern.
const LEAST_MISSES: u64 = 100;
/// A share of the misses worth a finding.
const WORTH_SAYING: f64 = 0.2;

impl Engine {
    /// Everything about the misses of a namespace (by its template, the empty one is the remainder) or, with
    /// `None`, of the whole deployment. `None` where the namespace is not known.
    #[must_use]
    pub fn misses(&self, namespace: Option<&str>, now: Timestamp, window: Window) -> Option<MissInsights> {
        let now_ms = now.millis().clamp(0, self.now_ms.saturating_add(86_400_000)).max(self.now_ms);
        let range = self.frame.range(now_ms.div_euclid(1000), window.seconds());
        let rows: Vec<&Row> = match namespace {
            None => self.rows.live().map(|(_, row)| row).collect(),
            Some(template) => vec![self.rows.get(self.rows.find(template)?)],
        };
        let figures = Figures::of(&rows, &range);
        let limits = limits(self, now_ms);
        let unfilled = additions_told(self).then_some(figures.unfilled);
        Some(MissInsights {
            window,
            sentences: sentences(&figures, unfilled),
            causes: figures.causes,
            unfilled,
            after_eviction: figures.after_eviction,
            after_expiry: figures.after_expiry,
            limits,
            memory: memory(self),
        })
    }
}

/// Sums over rows.
struct Figures {
    causes: MissCauses,
    unfilled: u64,
    after_eviction: Delays,
    after_expiry: Delays,
}

impl Figures {
    fn of(rows: &[&Row], range: &Range) -> Self {
        let sum = |count: Count| rows.iter().map(|row| row.tally.sum(count, range)).sum::<u64>();
        let delays = |counts: [Count; 6], untold: u64| Delays {
            classes: counts
                .into_iter()
                .enumerate()
                .map(|(class, count)| DelayClass {
                    below_seconds: BOUNDS_MILLIS.get(class).map(|millis| *millis as f64 / 1000.0),
                    misses: sum(count),
                })
                .collect(),
            untold,
        };
        let causes = rows.iter().fold(MissCauses::default(), |sum, row| add(sum, &causes(&row.tally, range)));
        Self {
            causes,
            // A miss that turned out to be our own may have been counted here: never more than there are.
            unfilled: sum(Count::MissUnfilled).min(causes.total()),
            after_eviction: delays(AFTER_EVICTION, 0),
            after_expiry: delays(AFTER_EXPIRY, sum(Count::ExpiredOnAccess)),
        }
    }
}

fn memory(engine: &Engine) -> KeyMemory {
    let keys = &engine.events.keys;
    KeyMemory {
        capacity: keys.capacity() as u64,
        keys: keys.len() as u64,
        bytes: keys.bytes() as u64,
        forgotten: keys.dropped,
    }
}

/// The servers whose keys come and go by themselves; a replica's follow its primary's.
fn deciding(engine: &Engine) -> impl Iterator<Item = &Node> {
    engine.server.nodes().iter().filter(|node| node.subscription.up && !node.standing.replica)
}

fn additions_told(engine: &Engine) -> bool {
    let mut nodes = deciding(engine).peekable();
    nodes.peek().is_some() && nodes.all(|node| node.standing.tells_additions())
}

/// The shortest delay within which at least half of the misses lie, with how many do.
fn mostly_within(delays: &Delays) -> Option<(f64, u64)> {
    let total = delays.total();
    let bounds = BOUNDS_MILLIS.iter().map(|millis| *millis as f64 / 1000.0);
    let mut shares = bounds.map(|bound| (bound, delays.within(bound)));
    shares.find(|(_, within)| *within > 0 && *within * 2 >= total)
}

fn sentences(figures: &Figures, unfilled: Option<u64>) -> Vec<String> {
    let total = figures.causes.total();
    let mut sentences = Vec::new();
    if total == 0 {
        return sentences;
    }
    if let Some(unfilled) = unfilled.filter(|unfilled| *unfilled > 0) {
        sentences.push(format!(
            "At least {} of {total} misses ask for keys that nobody fills: the negative answer could be cached.",
            unfilled
        ));
    }
    if let Some((bound, within)) = mostly_within(&figures.after_eviction) {
        sentences.push(format!(
            "{} of {total} misses are keys that were evicted; at least {within} were asked for less than {} after \
             it: memory to keep them that much longer would have saved these.",
            figures.causes.evicted,
            words(bound)
        ));
    }
    if let Some((bound, within)) = mostly_within(&figures.after_expiry) {
        sentences.push(format!(
            "{} of {total} misses are keys that expired; at least {within} were asked for less than {} after the \
             server removed them: a time to live longer by that would have saved these.",
            figures.causes.expired,
            words(bound)
        ));
    }
    if figures.after_expiry.untold > 0 {
        sentences.push(format!(
            "{} misses found a key whose time had run out and which the server had not removed yet: how long ago \
             is not told.",
            figures.after_expiry.untold
        ));
    }
    sentences
}

/// Why some causes can't be told, and what would enable it.
fn limits(engine: &Engine, now_ms: i64) -> Vec<String> {
    let mut limits = Vec::new();
    let flags = missing_flags(engine);
    if !flags.is_empty() {
        limits.push(flags);
    }
    if deciding(engine).any(|node| !node.standing.is_informed()) {
        limits.push(
            "a flush shows in INFO's command statistics alone, and these are not read: flushed keys are of unknown \
             cause, and so are cold ones"
                .to_owned(),
        );
    }
    let flushed = deciding(engine).filter_map(|node| node.standing.last_flush_unseen()).max();
    if let Some(at_ms) = flushed {
        limits.push(format!(
            "a database was flushed {} ago: keys of which nothing was heard before can't be told from new ones; an \
             exact scan makes existing keys known",
            words((now_ms - at_ms).max(0) as f64 / 1000.0)
        ));
    }
    let keys = &engine.events.keys;
    if keys.dropped > 0 {
        limits.push(format!(
            "{} removals found no room beside {} keys: later misses of those keys are of unknown cause",
            keys.dropped,
            keys.capacity()
        ));
    }
    limits
}

/// Which events would have to be announced for every cause to be told; empty where all are.
fn missing_flags(engine: &Engine) -> String {
    let deletions = deciding(engine).any(|node| !node.standing.tells_removals());
    let additions = deciding(engine).any(|node| !node.standing.tells_additions());
    match (deletions, additions) {
        (false, false) => String::new(),
        (true, true) => "deletions and additions are not announced: deleted, flushed and cold keys are told only \
                         where INFO and scans allow it; add g and, since Redis 7.0, n to notify-keyspace-events"
            .to_owned(),
        (true, false) => "deletions are not announced: add g (and e and x) to notify-keyspace-events to tell them \
                          and cold keys apart"
            .to_owned(),
        (false, true) => "additions are not announced: keys that nobody fills and most flushed ones can't be told; \
                          add n, which Redis has since 7.0, to notify-keyspace-events"
            .to_owned(),
    }
}

/// What is worth telling of misses without being asked.
pub(super) fn findings(engine: &Engine, view: &View<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let told = additions_told(engine);
    let percent = |part: u64, whole: u64| (100.0 * part as f64 / whole as f64).round();
    let mut all = MissCauses::default();
    for (_, row) in engine.rows.live() {
        let misses = causes(&row.tally, &view.events_range);
        let total = misses.total();
        all = add(all, &misses);
        if total < LEAST_MISSES {
            continue;
        }
        let figures = Figures::of(&[row], &view.events_range);
        let worth = |part: u64| part as f64 >= WORTH_SAYING * total as f64;
        if told && worth(figures.unfilled) {
            let summary = format!(
                "{:.0} % of the misses of {} ask for keys that nobody fills",
                percent(figures.unfilled, total),
                row.title
            );
            let remedy = "cache the negative answer for a short time, or refuse such keys before the cache";
            findings.push(finding("never-filled", &row.template, summary, remedy));
        }
        if let Some((bound, within)) = mostly_within(&figures.after_eviction)
            && worth(within)
        {
            let summary = format!(
                "at least {:.0} % of the misses of {} ask for keys evicted less than {} before",
                percent(within, total),
                row.title,
                words(bound)
            );
            findings.push(finding(
                "evicted-too-soon",
                &row.template,
                summary,
                "give the server more memory, or keep less in it: these keys were still wanted",
            ));
        }
        if let Some((bound, within)) = mostly_within(&figures.after_expiry)
            && bound <= 60.0
            && worth(within)
        {
            let summary = format!(
                "at least {:.0} % of the misses of {} ask for keys that expired less than {} before",
                percent(within, total),
                row.title,
                words(bound)
            );
            findings.push(finding(
                "expired-too-soon",
                &row.template,
                summary,
                "lengthen the time to live, or refresh these keys before it ends",
            ));
        }
    }
    let untold = missing_flags(engine);
    let many = all.total() >= LEAST_MISSES && all.unknown as f64 >= WORTH_SAYING * all.total() as f64;
    if many && !untold.is_empty() {
        let summary =
            format!("the cause of {:.0} % of the misses is not known", percent(all.unknown, all.total()));
        findings.push(finding("causes-unknown", "", summary, untold));
    }
    findings
}
