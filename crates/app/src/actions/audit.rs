//! The audit: listed, verified, exported.

use std::fmt::Write as _;

use super::desk::Desk;
use crate::wire::{AuditFormat, AuditRow, AuditVerdict, WireError};

/// Rows of one answer.
const AT_ONCE: u32 = 500;

impl Desk {
    /// Rows before `before`, the newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn audit_rows(
        &self,
        deployment: Option<String>,
        before: Option<u64>,
    ) -> Result<Vec<AuditRow>, WireError> {
        let before = before.map(|before| i64::try_from(before).unwrap_or(i64::MAX));
        let rows = self.store().audit(deployment, before, AT_ONCE).await?;
        Ok(rows.into_iter().map(view).collect())
    }

    /// Whether every row follows from the one before.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, WireError> {
        let found = self.store().verify_audit().await?;
        Ok(AuditVerdict {
            intact: found.problem.is_empty(),
            rows: found.rows,
            last_hash: found.last_hash,
            problem: found.problem,
        })
    }

    /// The whole audit, the oldest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn export_audit(&self, format: AuditFormat) -> Result<String, WireError> {
        let mut rows = Vec::new();
        let mut before = None;
        loop {
            let some = self.audit_rows(None, before).await?;
            let Some(last) = some.last() else { break };
            before = Some(last.number);
            rows.extend(some);
        }
        rows.reverse();
        let mut text = String::new();
        if format == AuditFormat::Csv {
            text.push_str(
                "number,at_ms,operator,deployment,deployment_name,event,run,reason,details,previous_hash,hash\r\n",
            );
        }
        for row in rows {
            match format {
                AuditFormat::Jsonl => {
                    text.push_str(&serde_json::to_string(&row).unwrap_or_default());
                    text.push('\n');
                }
                AuditFormat::Csv => {
                    let (number, at) = (row.number.to_string(), row.at.millis().to_string());
                    let cells = [
                        &number,
                        &at,
                        &row.operator,
                        &row.deployment,
                        &row.deployment_name,
                        &row.event,
                        &row.run,
                        &row.reason,
                        &row.details,
                        &row.previous_hash,
                        &row.hash,
                    ];
                    let quoted: Vec<_> = cells.iter().map(|cell| quoted(cell)).collect();
                    // Writing to a string can't fail.
                    let _ = write!(text, "{}\r\n", quoted.join(","));
                }
            }
        }
        Ok(text)
    }
}

/// A cell as RFC 4180 has it; one that a spreadsheet would take for a formula begins with an apostrophe.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

fn view(kept: cachescope_store::AuditRow) -> AuditRow {
    AuditRow {
        number: kept.number.unsigned_abs(),
        at: kept.row.at,
        operator: kept.row.operator,
        deployment: kept.row.deployment,
        deployment_name: kept.row.deployment_name,
        event: kept.row.event,
        run: kept.row.run,
        reason: kept.row.reason,
        details: kept.row.details,
        previous_hash: kept.previous_hash,
        hash: kept.hash,
    }
}
