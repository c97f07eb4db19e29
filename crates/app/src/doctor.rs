//! What can be measured on a deployment's server, what not, why, and the lines that would enable it.

use cachescope_sources::error::SourceError;
use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::capabilities::{Works, capabilities};

use crate::deployments;
use crate::session::{Session, SessionPlan};
use crate::wire::{DoctorReport, SourceCapability, StepResult, WireError, WireErrorCode};

/// Asks the server of a running session, over a connection of its own.
pub(crate) async fn run(session: &Session) -> Result<DoctorReport, WireError> {
    of_plan(session.plan()).await
}

/// Asks the server of a plan.
///
/// # Errors
/// Why it can't be reached, or that there is no Redis.
pub async fn of_plan(plan: &SessionPlan) -> Result<DoctorReport, WireError> {
    let Some(address) = deployments::redis_address(plan)? else {
        return Err(WireError::new(WireErrorCode::BadInput, "this deployment has no Redis to ask")
            .with_remedy("give it a Redis address"));
    };
    let seed = address.seeds()[0].clone();
    Ok(report(&RedisNode::new(seed, plan.connect_options())).await?)
}

/// Asks a server.
pub(crate) async fn report(node: &RedisNode) -> Result<DoctorReport, SourceError> {
    let found = capabilities(node).await?;
    let words = [format!("{} {}", found.engine, found.version), found.mode, found.role];
    let known: Vec<&str> = words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()).collect();
    let source = |source: cachescope_sources::redis::capabilities::SourceCapability| SourceCapability {
        source: source.source,
        result: match source.works {
            Works::Yes => StepResult::Ok,
            Works::Partly => StepResult::Warning,
            Works::No => StepResult::Failed,
        },
        detail: source.why,
        remedy: source.remedy.join("\n"),
    };
    Ok(DoctorReport {
        server: known.join(", "),
        sources: found.sources.into_iter().map(source).collect(),
        acl_line: found.acl_line,
        config_lines: Some(found.config_line).filter(|line| !line.is_empty()).into_iter().collect(),
    })
}
