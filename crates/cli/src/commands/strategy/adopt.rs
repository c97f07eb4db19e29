//! `cachescope strategy adopt`: what a strategy does not document and the server holds.

use std::path::Path;

use cachescope_app::adoption;
use cachescope_app::session::{ScanPlan, Session};

use crate::arguments::{Adopt, Common};
use crate::commands::snapshot;
use crate::deployment;
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(command: Adopt, common: &Common) -> Result<(), Failure> {
    let plan = deployment::plan(&command.target, common, None, ScanPlan::default()).await?;
    let watched = plan.deployment.clone();
    let session = Session::start(plan);
    let ended = snapshot::watch(&session, command.watch_for, common, false).await;
    let figures = session.snapshot(snapshot::window_for(command.watch_for));
    session.stop().await;
    ended?;
    let wanted = Some(command.templates.as_slice()).filter(|templates| !templates.is_empty());
    let found = adoption::found(&figures, wanted)?;
    // A new file goes to standard output: the folder is of no importance.
    let proposal = adoption::propose(&watched, Path::new(""), &found)?;
    if command.write {
        if proposal.new_file {
            return Err(Failure::input(
                "a built-in strategy can't be written; print it to a file of your own",
            ));
        }
        if !proposal.adoption.names.is_empty() {
            adoption::write(&proposal)?;
        }
    }
    if common.json {
        let mut view = proposal.view();
        if proposal.new_file {
            view.file = String::new();
            view.added.clone_from(&proposal.adoption.text);
        }
        output::json(&view)?;
    } else if proposal.new_file {
        output::text(&proposal.adoption.text)?;
    } else {
        output::text(&proposal.adoption.added)?;
    }
    if proposal.adoption.names.is_empty() {
        eprintln!("nothing was found that the strategy does not document");
    }
    Ok(())
}
