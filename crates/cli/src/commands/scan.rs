//! `cachescope scan`: the keys of every namespace, counted and weighed.

use std::time::Duration;

use cachescope_app::session::{ScanPlan, Session};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::{NamespaceOrigin, Snapshot};
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_model::window::Window;

use crate::arguments::{Common, Scan};
use crate::deployment;
use crate::failure::Failure;
use crate::figures;
use crate::output;
use crate::table::{Align, Table};

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

/// Whether the scan has brought its figures, or can't.
fn ended(session: &Session) -> bool {
    let snapshot = session.snapshot(Window::OneMinute);
    let hopeless = snapshot
        .sources
        .iter()
        .any(|status| status.source == SourceId::Scan && status.health == SourceHealth::Unavailable);
    hopeless
        || snapshot
            .namespaces
            .iter()
            .any(|row| row.readings.get(&ReadingKind::Keys).is_some_and(|reading| reading.value.is_some()))
}

fn render(figures: &Snapshot) -> String {
    let mut headings = vec![("NAMESPACE", Align::Left)];
    headings.extend(COLUMNS.iter().map(|kind| (kind.spec().title, Align::Right)));
    let mut table = Table::new(&headings);
    let heaviest = |row: &&cachescope_model::snapshot::NamespaceSnapshot| {
        let bytes = row.readings.get(&ReadingKind::MemoryBytes).and_then(|reading| reading.value);
        std::cmp::Reverse(bytes.map_or(0, |bytes| bytes as u64))
    };
    let mut rows: Vec<_> = figures.namespaces.iter().collect();
    rows.sort_by_key(heaviest);
    for namespace in rows {
        let name = match namespace.origin {
            NamespaceOrigin::Other => "(everything else)".to_owned(),
            _ => namespace.namespace.clone(),
        };
        let cells =
            COLUMNS.iter().map(|kind| figures::reading(namespace.readings.get(kind), kind.spec().unit));
        table.row(std::iter::once(name).chain(cells).collect());
    }
    table.render()
}
