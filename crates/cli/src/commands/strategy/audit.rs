//! `cachescope strategy audit`: what the strategy documents beside what the keys are, after a scan.

use cachescope_model::duration;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::Snapshot;
use serde_json::json;

use crate::arguments::{Common, Scan};
use crate::commands::scan;
use crate::failure::Failure;
use crate::figures;
use crate::output;
use crate::table::{Align, Table};

const COLUMNS: [ReadingKind; 4] =
    [ReadingKind::Keys, ReadingKind::MemoryBytes, ReadingKind::TtlP50Seconds, ReadingKind::NoTtlRatio];

pub(crate) async fn run(command: Scan, common: &Common) -> Result<(), Failure> {
    if command.target.strategy.is_none() {
        return Err(Failure::input("an audit needs something to compare with: name it with --strategy"));
    }
    let session = scan::begin(&command, common).await?;
    let figures = scan::result(&session).await;
    session.stop().await;
    let figures = figures?;
    if common.json {
        output::json(&json!({ "namespaces": figures.namespaces, "findings": figures.findings }))?;
    } else {
        output::text(&render(&figures))?;
    }
    match figures.findings.len() {
        0 => Ok(()),
        1 => Err(Failure::check("1 finding")),
        many => Err(Failure::check(format!("{many} findings"))),
    }
}

fn render(figures: &Snapshot) -> String {
    let mut headings = vec![("NAMESPACE", Align::Left), ("DOCUMENTED TTL", Align::Right)];
    headings.extend(COLUMNS.iter().map(|kind| (kind.spec().title, Align::Right)));
    let mut table = Table::new(&headings);
    for namespace in &figures.namespaces {
        let documented = namespace.documented_ttl_seconds.map(std::time::Duration::from_secs_f64);
        let mut row = figures::row(figures::name(namespace), &COLUMNS, |kind| namespace.readings.get(kind));
        row.insert(1, documented.map_or_else(|| "–".to_owned(), duration::format));
        table.row(row);
    }
    let mut text = table.render();
    for finding in &figures.findings {
        text.push_str(&format!("finding: {} {}\n", finding.summary, finding.remedy));
    }
    text
}
