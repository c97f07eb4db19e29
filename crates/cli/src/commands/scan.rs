//! `cachescope scan`: the keys of every namespace, counted and weighed.

use std::sync::Arc;
use std::time::Duration;

use cachescope_app::session::{ScanPlan, Session};
use cachescope_model::contents::BigKey;
use cachescope_model::reading_kind::{ReadingKind, Unit};
use cachescope_model::scan::ScanMode;
use cachescope_model::snapshot::{NamespaceSnapshot, Snapshot};
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_model::window::Window;

use crate::arguments::{Common, Scan};
use crate::deployment;
use crate::failure::Failure;
use crate::figures;
use crate::output;
use crate::table::{Align, Table};

/// A scan of hundreds of millions of keys takes an hour at a gentle pace; a day means that it hangs.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The biggest keys that the table shows; the JSON has up to twenty of each namespace.
const BIGGEST: usize = 10;

const COLUMNS: [ReadingKind; 4] =
    [ReadingKind::Keys, ReadingKind::MemoryBytes, ReadingKind::TtlP50Seconds, ReadingKind::NoTtlRatio];

pub(crate) async fn run(command: Scan, common: &Common) -> Result<(), Failure> {
    let session = begin(&command, common).await?;
    let ended = result(&session).await;
    session.stop().await;
    let figures = ended?;
    if common.json {
        output::json(&with_contents(&figures, &session)?)?;
    } else {
        output::text(&(render(&figures) + &biggest(&figures, &session)))?;
    }
    Ok(())
}

/// Starts the scan that was asked for.
pub(crate) async fn begin(command: &Scan, common: &Common) -> Result<Arc<Session>, Failure> {
    let named = ["info".to_owned(), "scan".to_owned()];
    let mode = match command.precision {
        Some(half_width) => ScanMode::Precise { half_width },
        None if command.exact => ScanMode::Exact,
        None => ScanPlan::default().mode,
    };
    let scan = ScanPlan { mode, unthrottled: command.unthrottled, repeat_every: None };
    let plan = deployment::plan(&command.target, common, Some(&named), scan).await?;
    if plan.deployment.redis_url.is_none() {
        return Err(Failure::input("a scan needs a Redis: give its address with --redis"));
    }
    Ok(Session::start(plan))
}

/// Waits until the scan has ended, and gives its figures.
pub(crate) async fn result(session: &Arc<Session>) -> Result<Arc<Snapshot>, Failure> {
    // One that fails is tried again by itself; only what can't be is given up.
    let ended = |session: &Session| deployment::scan_ended(session, &[SourceHealth::Unavailable]);
    deployment::watch_until(session, PATIENCE, ended).await?;
    let figures = session.snapshot(Window::OneMinute);
    let is_hopeless = |status: &&SourceStatus| {
        status.source == SourceId::Scan && status.health == SourceHealth::Unavailable
    };
    match figures.sources.iter().find(is_hopeless) {
        Some(status) => Err(Failure::server(status.detail.clone(), status.remedy.clone())),
        None => Ok(figures),
    }
}

/// The snapshot with what the scan found in each namespace.
fn with_contents(figures: &Snapshot, session: &Session) -> Result<serde_json::Value, Failure> {
    let mut json = serde_json::to_value(figures)?;
    for (namespace, row) in figures.namespaces.iter().zip(rows_of(&mut json)) {
        row["contents"] = serde_json::to_value(session.contents(&namespace.namespace))?;
    }
    Ok(json)
}

/// The namespaces of a snapshot's JSON, to be added to.
pub(crate) fn rows_of(json: &mut serde_json::Value) -> impl Iterator<Item = &mut serde_json::Value> {
    json.get_mut("namespaces").and_then(serde_json::Value::as_array_mut).into_iter().flatten()
}

fn render(figures: &Snapshot) -> String {
    let mut table = figures::table(&COLUMNS);
    let heaviest = |row: &&NamespaceSnapshot| {
        let bytes = row.readings.value(ReadingKind::MemoryBytes);
        std::cmp::Reverse(bytes.map_or(0, |bytes| bytes as u64))
    };
    let mut rows: Vec<_> = figures.namespaces.iter().collect();
    rows.sort_by_key(heaviest);
    for namespace in rows {
        table.row(figures::row(figures::name(namespace), &COLUMNS, |kind| namespace.readings.get(kind)));
    }
    let mut text = table.render();
    for status in figures.sources.iter().filter(|status| status.source == SourceId::Scan) {
        if status.health == SourceHealth::Partial {
            text.push_str(&format!("scan: {}\n", status.detail));
        }
    }
    text
}

/// The biggest keys of all namespaces together.
fn biggest(figures: &Snapshot, session: &Session) -> String {
    let mut keys: Vec<BigKey> = figures
        .namespaces
        .iter()
        .filter_map(|namespace| session.contents(&namespace.namespace))
        .flat_map(|contents| contents.biggest)
        .collect();
    if keys.is_empty() {
        return String::new();
    }
    keys.sort_by_key(|key| std::cmp::Reverse(key.bytes));
    let mut table = Table::new(&[
        ("BIGGEST KEYS", Align::Left),
        ("DB", Align::Right),
        ("Bytes", Align::Right),
        ("Type", Align::Left),
        ("Time to live", Align::Right),
    ]);
    for key in keys.iter().take(BIGGEST) {
        let about = if key.estimated { "~" } else { "" };
        let ttl = match (key.expires, key.ttl_seconds) {
            (_, Some(seconds)) => figures::value_in(seconds, Unit::Seconds),
            (Some(false), None) => "never expires".to_owned(),
            _ => "–".to_owned(),
        };
        table.row(vec![
            key.key.clone(),
            key.database.to_string(),
            format!("{about}{}", figures::value_in(key.bytes as f64, Unit::Bytes)),
            key.kind.clone().unwrap_or_else(|| "–".to_owned()),
            ttl,
        ]);
    }
    format!("\n{}", table.render())
}
