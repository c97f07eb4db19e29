//! `cachescope audit`: what was done, and whether the record of it is whole.

use cachescope_app::wire::AuditFormat;

use super::desk::desk;
use crate::arguments::Common;
use crate::failure::Failure;
use crate::output;
use crate::purge_arguments::{AuditCommand, ExportFormat};
use crate::table::{Align, Table};

pub(crate) async fn run(command: AuditCommand, common: &Common) -> Result<(), Failure> {
    let (desk, _) = desk(common).await?;
    match command {
        AuditCommand::List => {
            let rows = desk.audit_rows(None, None).await?;
            if common.json {
                return output::json(&rows);
            }
            let mut table = Table::new(&[
                ("NUMBER", Align::Right),
                ("AT", Align::Left),
                ("WHO", Align::Left),
                ("DEPLOYMENT", Align::Left),
                ("EVENT", Align::Left),
                ("RUN", Align::Left),
                ("REASON", Align::Left),
            ]);
            for row in rows {
                table.row(vec![
                    row.number.to_string(),
                    output::utc(row.at),
                    row.operator,
                    row.deployment_name,
                    row.event,
                    row.run,
                    row.reason,
                ]);
            }
            output::text(&table.render())
        }
        AuditCommand::Verify => {
            let verdict = desk.verify_audit().await?;
            if common.json {
                output::json(&verdict)?;
            } else if verdict.intact {
                output::text(&format!(
                    "{} rows, intact; the last hash is {}\n",
                    verdict.rows, verdict.last_hash
                ))?;
            }
            if verdict.intact {
                return Ok(());
            }
            Err(Failure::check(format!("the audit is not intact: {}", verdict.problem)))
        }
        AuditCommand::Export { format } => {
            let format = match format {
                ExportFormat::Jsonl => AuditFormat::Jsonl,
                ExportFormat::Csv => AuditFormat::Csv,
            };
            output::text(&desk.export_audit(format).await?)
        }
    }
}
