//! What the documented and the observed disagree about.

use cachescope_model::size;
use cachescope_model::snapshot::{ControlTotal, Finding};

use super::keys;
use super::view::{View, words};
use crate::engine::Engine;

/// Everything found.
pub(super) fn findings(engine: &Engine, totals: &[ControlTotal], view: &View<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    times_to_live(engine, &mut findings);
    findings.extend(keys::findings(engine));
    configuration(engine, view, &mut findings);
    imbalance(engine, view, &mut findings);
    sources(engine, &mut findings);
    findings.extend(super::misses::findings(engine, view));
    for total in totals.iter().filter(|total| !total.remark.is_empty()) {
        let remedy = if total.what.starts_with("application") {
            "compare the strategy's metric names and labels with the application, and its Redis with this one"
        } else if total.what == "sample" {
            "modules and functions may look up keys unseen: the application's own metrics would tell"
        } else {
            "see whether the events source reports a loss; a slow link or a full buffer costs events"
        };
        let summary = format!("{}: {}", total.what, total.remark);
        findings.push(finding("counters-disagree", "", summary, remedy));
    }
    findings
}

pub(super) fn finding(code: &str, namespace: &str, summary: String, remedy: impl Into<String>) -> Finding {
    Finding { code: code.to_owned(), namespace: namespace.to_owned(), summary, remedy: remedy.into() }
}

fn times_to_live(engine: &Engine, findings: &mut Vec<Finding>) {
    for (_, row) in engine.rows.live() {
        let (Some(documented), Some(scanned)) = (row.longest_ttl_seconds, row.scanned.as_deref()) else {
            continue;
        };
        let of = if scanned.asked as f64 != scanned.keys.value {
            format!("{} keys asked", scanned.asked)
        } else {
            format!("{} keys", scanned.asked)
        };
        if scanned.without_ttl > 0 {
            let summary = format!(
                "{} of {of} of {} never expire; documented is {}",
                scanned.without_ttl,
                row.title,
                words(documented)
            );
            findings.push(finding(
                "no-ttl",
                &row.template,
                summary,
                "set the time to live where they are written",
            ));
        }
        if scanned.beyond_ttl > 0 {
            let summary = format!(
                "{} of {of} of {} live longer than the documented {}",
                scanned.beyond_ttl,
                row.title,
                words(documented)
            );
            let remedy = "shorten the time to live where they are written, or correct the strategy";
            findings.push(finding("ttl-beyond", &row.template, summary, remedy));
        }
    }
}

fn configuration(engine: &Engine, view: &View<'_>, findings: &mut Vec<Finding>) {
    let expected = &engine.strategy.redis;
    for (node, info) in engine.server.live(view.now_ms) {
        if let Some(policy) = &expected.maxmemory_policy
            && !info.maxmemory_policy.is_empty()
            && *policy != info.maxmemory_policy
        {
            let summary =
                format!("{} evicts by {}; documented is {policy}", node.name, info.maxmemory_policy);
            let remedy = format!("CONFIG SET maxmemory-policy {policy}");
            findings.push(finding("maxmemory-policy", "", summary, remedy));
        }
        if let Some(limit) = expected.maxmemory
            && limit != info.maxmemory
        {
            let is = if info.maxmemory == 0 {
                "no maxmemory".to_owned()
            } else {
                size::format(info.maxmemory as f64)
            };
            let summary = format!("{} has {is}; documented is {}", node.name, size::format(limit as f64));
            findings.push(finding("maxmemory", "", summary, format!("CONFIG SET maxmemory {limit}")));
        }
    }
}

/// A primary this full, and fuller than the others on average by this much, will evict before they do.
const FULL: f64 = 0.75;
const FULLER: f64 = 0.2;

/// The sum over all primaries hides one that is about to overflow.
fn imbalance(engine: &Engine, view: &View<'_>, findings: &mut Vec<Finding>) {
    let primaries = engine.server.live(view.now_ms).filter(|(node, info)| {
        info.maxmemory > 0 && !node.is_replica() && node.place.is_none_or(|place| !place.down)
    });
    let full: Vec<_> =
        primaries.map(|(node, info)| (&node.name, info.used_memory as f64 / info.maxmemory as f64)).collect();
    let Some((fullest, share)) = full.iter().max_by(|(_, one), (_, other)| one.total_cmp(other)) else {
        return;
    };
    let others = full.len().saturating_sub(1).max(1) as f64;
    let average = (full.iter().map(|(_, share)| share).sum::<f64>() - share) / others;
    if full.len() > 1 && *share >= FULL && share - average >= FULLER {
        let summary = format!(
            "{fullest} uses {:.0} % of its maxmemory, the other primaries {:.0} % on average",
            share * 100.0,
            average * 100.0
        );
        let remedy = "look for large keys or one hash tag on that node (scan by namespace), or move slots away from it";
        findings.push(finding("memory-imbalance", "", summary, remedy));
    }
}

fn sources(engine: &Engine, findings: &mut Vec<Finding>) {
    let apps = &engine.applications;
    for endpoint in apps.endpoints().iter().filter(|endpoint| endpoint.bad_lines > 0) {
        let summary = format!("{} lines of {} can't be read", endpoint.bad_lines, endpoint.name());
        let remedy = format!("cachescope scrape {} lists them", endpoint.name());
        findings.push(finding("bad-metric-lines", "", summary, remedy));
    }
    if apps.series_left_out() > 0 {
        let summary =
            format!("{} series of metrics found no place and are not counted", apps.series_left_out());
        let remedy = "narrow the strategy's matchers, or drop labels with many values from the cache metrics";
        findings.push(finding("series-overflow", "", summary, remedy));
    }
    if apps.endpoints_left_out > 0 {
        let summary = "more than 64 metrics endpoints: the others are not read".to_owned();
        findings.push(finding(
            "endpoint-overflow",
            "",
            summary,
            "let a Prometheus scrape them and connect that",
        ));
    }
    if engine.rows.full() {
        let summary = format!("{} namespaces: what does not fit is in the remainder", engine.namespaces());
        let remedy = "document the namespaces that matter in the strategy file";
        findings.push(finding("namespace-overflow", "", summary, remedy));
    }
}
