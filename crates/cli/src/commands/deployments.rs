//! `cachescope deployments`: what the window keeps, as a list and as files. Nothing is connected to.

use std::path::Path;

use cachescope_app::host::state_directory;
use cachescope_app::transfer;
use cachescope_app::wire::{ImportOutcome, ImportReport};
use cachescope_model::deployment::Deployment;
use cachescope_store::{Secrets, SecretsState, Store};

use crate::arguments::{Common, DeploymentsCommand};
use crate::failure::Failure;
use crate::output;
use crate::table::{Align, Table};

/// Longest file, in bytes: as long as what the app reads, and some room for another encoding.
const MOST_BYTES: u64 = 20 * 1024 * 1024;

pub(crate) async fn run(command: DeploymentsCommand, common: &Common) -> Result<(), Failure> {
    let directory = state_directory(common.state_dir.clone());
    let opened = tokio::task::spawn_blocking(move || Store::open(&directory)).await;
    let store = opened
        .map_err(|error| Failure::input(format!("the state directory could not be opened: {error}")))?
        .map_err(|error| Failure::input(error.to_string()))?;
    let kept = store.deployments().await.map_err(|error| Failure::input(error.to_string()))?;
    match command {
        DeploymentsCommand::List => list(&kept, common),
        DeploymentsCommand::Export => output::text(&transfer::write(&kept)),
        DeploymentsCommand::Import { file, dry_run } => {
            let (report, accepted) = transfer::judge(transfer::read(&contents(&file)?)?, &kept);
            if dry_run {
                return told(&report, common, "");
            }
            let secrets = Secrets::keychain();
            let brought = report.deployments.iter().any(|it| it.secrets);
            for accepted in accepted {
                transfer::keep(accepted, Some(&store), &secrets).await?;
            }
            told(&ImportReport { kept: true, ..report }, common, &kept_where(&secrets, brought))
        }
    }
}

/// What became of the secrets: a command ends at once, and with it whatever is kept in memory alone.
fn kept_where(secrets: &Secrets, brought: bool) -> String {
    match secrets.state() {
        _ if !brought => String::new(),
        SecretsState::Keychain => "Passwords are in the system's keychain.\n".to_owned(),
        SecretsState::SessionOnly { reason } => {
            format!("No password was kept: {reason}. Type them into the form of each deployment.\n")
        }
    }
}

fn contents(file: &Path) -> Result<String, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::input(format!("{} can't be read: {error}", file.display()));
    if std::fs::metadata(file).map_err(unreadable)?.len() > MOST_BYTES {
        return Err(Failure::input(format!("{} is larger than 20 MB", file.display())));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn list(kept: &[Deployment], common: &Common) -> Result<(), Failure> {
    if common.json {
        return output::json(&kept);
    }
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("ENVIRONMENT", Align::Left),
        ("GROUP", Align::Left),
        ("ADDRESS", Align::Left),
        ("STRATEGY", Align::Left),
        ("ID", Align::Left),
    ]);
    for deployment in kept {
        let address = deployment.redis_url.as_ref().or(deployment.prometheus_url.as_ref());
        table.row(vec![
            deployment.name.clone(),
            format!("{:?}", deployment.environment()).to_lowercase(),
            deployment.group.clone().unwrap_or_default(),
            address.or(deployment.metrics_urls.first()).cloned().unwrap_or_default(),
            deployment.strategy.clone().unwrap_or_default(),
            deployment.id.0.clone(),
        ]);
    }
    output::text(&table.render())
}

fn told(report: &ImportReport, common: &Common, last: &str) -> Result<(), Failure> {
    if common.json {
        return output::json(report);
    }
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("ADDRESS", Align::Left),
        ("GROUP", Align::Left),
        ("OUTCOME", Align::Left),
        ("NOTES", Align::Left),
    ]);
    for entry in &report.deployments {
        let outcome = match (entry.outcome, report.kept) {
            (ImportOutcome::New, true) => "added",
            (ImportOutcome::New, false) => "new",
            (ImportOutcome::Known, _) => "known, left as it is",
            (ImportOutcome::Refused, _) => "refused",
        };
        table.row(vec![
            entry.name.clone(),
            entry.address.clone(),
            entry.group.clone(),
            outcome.to_owned(),
            entry.notes.join("; "),
        ]);
    }
    output::text(&format!("{}{last}", table.render()))
}
