//! `cachescope scan`: the keys of every namespace, counted and weighed.

use std::time::Duration;

use cachescope_app::session::{ScanPlan, Session};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::{NamespaceSnapshot, Snapshot};
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_model::window::Window;

use crate::arguments::{Common, Scan};
use crate::deployment;
use crate::failure::Failure;
use crate::figures;
use crate::output;

/// A scan of hundreds of millions of keys takes an hour at a gentle pace; a day means that it hangs.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

const COLUMNS: [ReadingKind; 4] =
    [ReadingKind::Keys, ReadingKind::MemoryBytes, ReadingKind::TtlP50Seconds, ReadingKind::NoTtlRatio];

pub(crate) async fn run(command: Scan, common: &Common) -> Result<(), Failure> {
    let named = ["info".to_owned(), "scan".to_owned()];
    let scan = ScanPlan { exact: command.exact, repeat_every: None };
    let plan = deployment::plan(&command.target, common, Some(&named), scan).await?;
    if plan.deployment.redis_url.is_none() {
        return Err(Failure::input("a scan needs a Redis: give its address with --redis"));
    }
    let session = Session::start(plan);
    // One that fails is tried again by itself; only what can't be is given up.
    let ended = |session: &Session| deployment::scan_ended(session, &[SourceHealth::Unavailable]);
    let waited = deployment::watch_until(&session, PATIENCE, ended).await;
    let figures = session.snapshot(Window::OneMinute);
    session.stop().await;
    waited?;
    if let Some(status) = figures
        .sources
        .iter()
        .find(|status| status.source == SourceId::Scan && status.health == SourceHealth::Unavailable)
    {
        return Err(Failure::server(status.detail.clone(), status.remedy.clone()));
    }
    if common.json {
        output::json(&*figures)?;
    } else {
        output::text(&render(&figures))?;
    }
    Ok(())
}

fn render(figures: &Snapshot) -> String {
    let mut table = figures::table(&COLUMNS);
    let heaviest = |row: &&NamespaceSnapshot| {
        let bytes = row.readings.get(&ReadingKind::MemoryBytes).and_then(|reading| reading.value);
        std::cmp::Reverse(bytes.map_or(0, |bytes| bytes as u64))
    };
    let mut rows: Vec<_> = figures.namespaces.iter().collect();
    rows.sort_by_key(heaviest);
    for namespace in rows {
        table.row(figures::row(figures::name(namespace), &COLUMNS, &namespace.readings));
    }
    table.render()
}
