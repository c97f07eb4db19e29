//! Changing settings of a server from the command line: recorded in the state directory, and kept by a process of
//! this same program.

use std::io::Write as _;
use std::sync::Arc;

use cachescope_app::custody::{Custody, Guarded};
use cachescope_app::host::state_directory;
use cachescope_app::prices;
use cachescope_app::session::{Session, SessionPlan};
use cachescope_app::wire::{SourcePrice, WireError};
use cachescope_model::source::SourceId;
use cachescope_store::Store;

use crate::arguments::{Common, EnvironmentName};
use crate::failure::Failure;

/// Opens the records of the state directory.
pub(crate) async fn open(common: &Common) -> Result<Custody, Failure> {
    let directory = state_directory(common.state_dir.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let store = Store::open(&directory).map_err(WireError::from)?;
        Custody::open(store, directory, std::env::current_exe().ok())
    });
    opened.await.map_err(|error| Failure::input(error.to_string()))?.map_err(Failure::from)
}

/// The same where a named source changes settings; other commands leave the state directory alone.
pub(crate) async fn for_sources(plan: &SessionPlan, common: &Common) -> Result<Option<Custody>, Failure> {
    let named = plan.sources.as_ref().is_some_and(|sources| sources.contains(&SourceId::SlowLog));
    if named { open(common).await.map(Some) } else { Ok(None) }
}

/// Samples the slow log of a session where that source was named; says on standard error what is changed. Where
/// that can't be, the slow log is read as it stands, which is said as well.
pub(crate) async fn sample_slow_log(session: &Arc<Session>, common: &Common, yes: bool) {
    if !session.sources_on().contains(&SourceId::SlowLog) {
        return;
    }
    if matches!(common.environment, Some(EnvironmentName::Production)) && !yes {
        say("the slow log is read as it stands: on production, --yes lets it be sampled");
        return;
    }
    match sample(session).await {
        Ok(price) if price.commands.is_empty() => {}
        Ok(price) => say(&format!(
            "{} Sets: {}. Puts back: {}",
            price.sentence,
            price.commands.join("; "),
            price.put_back
        )),
        Err(error) => say(&format!("the slow log is read as it stands: {}", Failure::from(error))),
    }
}

async fn sample(session: &Arc<Session>) -> Result<SourcePrice, WireError> {
    let plans = session.preview(Guarded::SlowLog).await?;
    let price = prices::of_change(Guarded::SlowLog, &plans, None);
    session.sample_slow_log(plans).await?;
    Ok(price)
}

/// A line on standard error. One that can't be written is no reason to stop.
pub(crate) fn say(sentence: &str) {
    let _written = writeln!(std::io::stderr(), "cachescope: {sentence}");
}
