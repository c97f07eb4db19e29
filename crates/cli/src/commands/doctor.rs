//! `cachescope doctor`: what can be measured here, what not, why, and the lines that would enable it.

use cachescope_app::doctor;
use cachescope_app::session::ScanPlan;
use cachescope_app::wire::StepResult;

use crate::arguments::{Common, Doctor};
use crate::deployment;
use crate::failure::Failure;
use crate::output;
use crate::table::{Align, Table};

pub(crate) async fn run(command: Doctor, common: &Common) -> Result<(), Failure> {
    let plan = deployment::plan(&command.target, common, None, ScanPlan::default()).await?;
    if plan.deployment.redis_url.is_none() {
        return Err(Failure::input("the doctor needs a Redis: give its address with --redis"));
    }
    let report = doctor::of_plan(&plan).await?;
    if common.json {
        output::json(&report)?;
        return Ok(());
    }
    output::text(&format!("{}\n\n", report.server))?;
    let mut table = Table::new(&[("SOURCE", Align::Left), ("", Align::Left), ("WHY", Align::Left)]);
    for source in &report.sources {
        let word = match source.result {
            StepResult::Ok => "works",
            StepResult::Warning => "in part",
            StepResult::Failed => "does not work",
            StepResult::Skipped => "not asked",
        };
        table.row(vec![source.source.name().to_owned(), word.to_owned(), source.detail.clone()]);
    }
    output::text(&table.render())?;
    for source in report.sources.iter().filter(|source| !source.remedy.is_empty()) {
        output::text(&format!("\nTo enable {}:\n  {}\n", source.source.name(), source.remedy))?;
    }
    if !report.acl_line.is_empty() {
        output::text(&format!("\nA user that may view and nothing else:\n  {}\n", report.acl_line))?;
        output::text(&format!(
            "\nA user that may also change the settings a source needs, on your approval:\n  {}\n",
            report.acting_acl_line
        ))?;
        output::text(&format!(
            "\nA user that may purge, undo and warm as well, on your approval:\n  {}\n",
            report.purging_acl_line
        ))?;
    }
    Ok(())
}
