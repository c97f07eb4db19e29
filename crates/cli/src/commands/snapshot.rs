//! `cachescope snapshot`: watch for a while, print once.

use std::sync::Arc;
use std::time::Duration;

use cachescope_app::alerts::check::{Check, Checked};
use cachescope_app::session::{ScanPlan, Session};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::{PartSnapshot, Snapshot as Figures};
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_model::window::Window;
use serde_json::{Value, json};

use crate::arguments::{Common, Snapshot};
use crate::failure::Failure;
use crate::figures;
use crate::output;
use crate::{custody, deployment};

use super::scan::rows_of;

/// How long a first scan may go on beyond the watching, before what is known is printed without it.
const SCAN_PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(command: Snapshot, common: &Common) -> Result<(), Failure> {
    let mut plan =
        deployment::plan(&command.target, common, command.sources.as_deref(), ScanPlan::default()).await?;
    plan.custody = custody::for_sources(&plan, common).await?;
    let session = Session::start(plan);
    let window = window_for(command.watch_for);
    let judging = Check::begin(&session, window, false);
    let watched = watch(&session, command.watch_for, common, command.yes).await;
    let figures = session.snapshot(window);
    let rules = judging.finish(&session);
    session.stop().await;
    watched?;
    if common.json {
        let mut json = serde_json::to_value(&*figures)?;
        for (namespace, row) in figures.namespaces.iter().zip(rows_of(&mut json)) {
            row["alerts"] = alerts_of(&namespace.namespace, &rules);
            if command.tenants {
                row["tenants"] = serde_json::to_value(session.tenants(&namespace.namespace, window))?;
            }
        }
        output::json(&json)?;
    } else {
        output::text(&render(&figures))?;
    }
    Ok(())
}

/// What is past a rule's threshold in a namespace. A rule's `for` is left out, as in `check`.
fn alerts_of(namespace: &str, rules: &[Checked]) -> Value {
    let of_rule = |rule: &Checked| {
        let (name, severity, summary) = (rule.rule.clone(), rule.severity, rule.summary.clone());
        let past = rule.past.iter().filter(|past| past.namespace.as_deref() == Some(namespace));
        past.map(move |past| {
            json!({
                "rule": name, "severity": severity, "summary": summary, "labels": past.labels,
                "state": if past.firing { "firing" } else { "pending" },
                "value": past.value, "low": past.low, "high": past.high, "sentence": past.sentence,
            })
        })
        .collect::<Vec<_>>()
    };
    rules.iter().flat_map(of_rule).collect()
}

/// Watches for as long as was asked for, and until the first scan has ended where one runs. A slow log that was
/// named is sampled; `yes` lets it be on production too.
pub(crate) async fn watch(
    session: &Arc<Session>,
    watch_for: Duration,
    common: &Common,
    yes: bool,
) -> Result<(), Failure> {
    deployment::first_data(session, common.timeout).await?;
    custody::sample_slow_log(session, common, yes).await;
    let never = |_: &Session| false;
    deployment::watch_until(session, watch_for, never).await?;
    if session.sources_on().contains(&SourceId::Scan) {
        // A scan that fails is tried again, but not for as long as a table may wait.
        let hopeless = [SourceHealth::Failed, SourceHealth::Unavailable];
        let ended = |session: &Session| deployment::scan_ended(session, &hopeless);
        deployment::watch_until(session, SCAN_PATIENCE, ended).await?;
    }
    Ok(())
}

/// The shortest window that covers what was watched.
pub(crate) fn window_for(watched: Duration) -> Window {
    Window::ALL
        .into_iter()
        .find(|window| Duration::from_secs(u64::from(window.seconds())) >= watched)
        .unwrap_or(Window::OneDay)
}

/// The columns of the table, as many as a terminal of 120 characters holds.
const COLUMNS: [ReadingKind; 7] = [
    ReadingKind::HitRate,
    ReadingKind::LookupsPerSecond,
    ReadingKind::MissesPerSecond,
    ReadingKind::LatencyP99Seconds,
    ReadingKind::MemoryBytes,
    ReadingKind::Keys,
    ReadingKind::EvictionsPerSecond,
];

/// Whether the application counts anything of a layer.
fn is_counted(layer: &PartSnapshot) -> bool {
    layer.readings.get(&ReadingKind::LookupsPerSecond).is_some_and(|lookups| lookups.value.is_some())
}

/// The figures as text.
pub(crate) fn render(figures: &Figures) -> String {
    let mut table = figures::table(&COLUMNS);
    table.row(figures::row("(everything)".to_owned(), &COLUMNS, |kind| figures.instance.get(kind).cloned()));
    for layer in figures.layers.iter().filter(|layer| is_counted(layer)) {
        let name = format!("(layer {})", layer.name);
        table.row(figures::row(name, &COLUMNS, |kind| layer.readings.get(kind).cloned()));
    }
    for namespace in &figures.namespaces {
        table.row(figures::row(figures::name(namespace), &COLUMNS, |kind| namespace.readings.get(kind)));
    }
    let mut text = table.render();
    for status in &figures.sources {
        if matches!(status.health, SourceHealth::Ok | SourceHealth::Off) {
            continue;
        }
        let remedy = if status.remedy.is_empty() { String::new() } else { format!(" — {}", status.remedy) };
        text.push_str(&format!("{}: {}{remedy}\n", status.source.name(), status.detail));
    }
    for finding in &figures.findings {
        text.push_str(&format!("finding: {} {}\n", finding.summary, finding.remedy));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_covers_what_was_watched() {
        for (seconds, window) in [(1, Window::TenSeconds), (10, Window::TenSeconds), (11, Window::OneMinute)]
        {
            assert_eq!(window_for(Duration::from_secs(seconds)), window);
        }
        assert_eq!(window_for(Duration::from_secs(1_000_000)), Window::OneDay);
    }
}
