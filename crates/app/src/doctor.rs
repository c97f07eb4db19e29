//! What can be measured on a deployment's servers, what not, why, and the lines that would enable it.

use cachescope_model::observation::NodeName;
use cachescope_model::topology::TopologyKind;
use cachescope_sources::error::SourceError;
use cachescope_sources::redis::capabilities::{CapabilityReport, Works, capabilities};
use cachescope_sources::redis::topology::{Discovered, Discovery};

use crate::deployments;
use crate::session::{Session, SessionPlan};
use crate::wire::{DoctorReport, SourceCapability, StepResult, WireError, WireErrorCode};

/// Servers that are asked one by one what they allow; in a larger cluster these stand for the others.
const MOST_ASKED: usize = 24;

/// What a deployment's servers are and allow.
pub(crate) struct Survey {
    /// In words: `Cluster of 3 primaries and 3 replicas`.
    pub(crate) topology: String,
    /// What keeps it from being complete, with what to do about it; empty where nothing does.
    pub(crate) remark: (String, String),
    /// Servers that were found and can't be reached.
    pub(crate) unreachable: Vec<(NodeName, SourceError)>,
    /// What can be measured.
    pub(crate) report: DoctorReport,
}

/// Asks the servers of a running session, over connections of its own.
pub(crate) async fn run(session: &Session) -> Result<DoctorReport, WireError> {
    of_plan(session.plan()).await
}

/// Asks the servers of a plan.
///
/// # Errors
/// Why none can be reached, or that there is no Redis.
pub async fn of_plan(plan: &SessionPlan) -> Result<DoctorReport, WireError> {
    let Some(survey) = survey(plan).await? else {
        return Err(WireError::new(WireErrorCode::BadInput, "this deployment has no Redis to ask")
            .with_remedy("give it a Redis address"));
    };
    let mut report = survey.report;
    let mut said = vec![format!("{}: {}", survey.topology, report.server)];
    said.extend(Some(survey.remark.0).filter(|remark| !remark.is_empty()));
    said.extend(survey.unreachable.iter().map(|(_, error)| error.to_string()));
    report.server = said.join("; ");
    Ok(report)
}

/// Finds the servers of a plan and asks them. `None` where it has no Redis.
pub(crate) async fn survey(plan: &SessionPlan) -> Result<Option<Survey>, WireError> {
    let Some(address) = deployments::redis_address(plan)? else { return Ok(None) };
    let found = Discovery::new(address, plan.connect_options()).try_to_look().await?;
    let unreachable = found.unreachable().await;
    let reports = ask(&found, &unreachable).await;
    let reports = match reports {
        Ok(reports) => reports,
        Err(error) => return Err(unreachable.into_iter().next().map_or(error, |(_, first)| first).into()),
    };
    let topology = &found.topology;
    let mut remark = (topology.remark.clone(), topology.remedy.clone());
    if remark.0.is_empty() && !unreachable.is_empty() && topology.nodes.len() > 1 {
        remark = (
            format!("{} of {} servers can't be reached from here", unreachable.len(), topology.nodes.len()),
            reach(topology.kind).to_owned(),
        );
    }
    Ok(Some(Survey { topology: topology.to_string(), remark, unreachable, report: merge(&reports) }))
}

/// What to do where servers announce addresses that lead nowhere from here.
fn reach(kind: TopologyKind) -> &'static str {
    match kind {
        TopologyKind::Cluster => {
            "nodes announce addresses for their own network: set cluster-announce-ip or cluster-announce-hostname \
             to what is reachable from here, connect from within that network, or give the addresses of all nodes \
             that are reachable"
        }
        TopologyKind::Sentinel => {
            "Sentinels tell addresses of their own network: set replica-announce-ip and sentinel announce-ip to what \
             is reachable from here, or connect from within that network"
        }
        TopologyKind::Standalone => {
            "replicas announce addresses for their own network: set replica-announce-ip to what is reachable from \
             here, or add ?direct=true to watch the named server alone"
        }
    }
}

async fn ask(
    found: &Discovered,
    unreachable: &[(NodeName, SourceError)],
) -> Result<Vec<CapabilityReport>, SourceError> {
    let reachable =
        found.nodes.iter().filter(|node| !unreachable.iter().any(|(name, _)| *name == node.name()));
    let mut asked = tokio::task::JoinSet::new();
    for (place, node) in reachable.take(MOST_ASKED).cloned().enumerate() {
        asked.spawn(async move { (place, capabilities(&node).await) });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(place, _)| *place);
    let mut reports = Vec::new();
    let mut failure = None;
    for (_, answer) in answers {
        match answer {
            Ok(report) => reports.push(report),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match failure {
        Some(error) if reports.is_empty() => Err(error),
        _ if reports.is_empty() => Err(SourceError::new(
            cachescope_sources::error::ErrorCode::Unreachable,
            "none of the servers can be reached",
            "",
        )),
        _ => Ok(reports),
    }
}

/// One report of several servers': of each source the worst, with the servers it is about.
fn merge(reports: &[CapabilityReport]) -> DoctorReport {
    let [first, ..] = reports else {
        return DoctorReport {
            server: String::new(),
            sources: Vec::new(),
            acl_line: String::new(),
            acting_acl_line: String::new(),
            purging_acl_line: String::new(),
            config_lines: Vec::new(),
        };
    };
    let words = [format!("{} {}", first.engine, first.version), first.mode.clone()];
    let role = if reports.len() == 1 { first.role.clone() } else { String::new() };
    let known: Vec<String> = words
        .into_iter()
        .chain([role])
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    let mut config_lines: Vec<String> = Vec::new();
    for line in reports.iter().map(|report| &report.config_line).filter(|line| !line.is_empty()) {
        if !config_lines.contains(line) {
            config_lines.push(line.clone());
        }
    }
    DoctorReport {
        server: known.join(", "),
        sources: (0..first.sources.len()).filter_map(|place| merged(reports, place)).collect(),
        acl_line: first.acl_line.clone(),
        acting_acl_line: first.acting_acl_line.clone(),
        purging_acl_line: first.purging_acl_line.clone(),
        config_lines,
    }
}

/// One source over all servers.
fn merged(reports: &[CapabilityReport], place: usize) -> Option<SourceCapability> {
    let told = || reports.iter().filter_map(|report| Some((report, report.sources.get(place)?)));
    let badness = |works: Works| match works {
        Works::Yes => 0,
        Works::Partly => 1,
        Works::No => 2,
    };
    // Of several equally bad ones the first: max_by_key would take the last.
    let (_, worst) = told().min_by_key(|(_, source)| std::cmp::Reverse(badness(source.works)))?;
    let alike: Vec<&str> = told()
        .filter(|(_, source)| source.works == worst.works && source.why == worst.why)
        .map(|(report, _)| report.node.as_str())
        .collect();
    let works_somewhere = told().any(|(_, source)| source.works != Works::No);
    let detail = if worst.why.is_empty() || alike.len() == reports.len() {
        worst.why.clone()
    } else {
        format!("{} (on {} of {} servers: {})", worst.why, alike.len(), reports.len(), alike.join(", "))
    };
    Some(SourceCapability {
        source: worst.source,
        result: match worst.works {
            Works::Yes => StepResult::Ok,
            Works::No if !works_somewhere => StepResult::Failed,
            Works::Partly | Works::No => StepResult::Warning,
        },
        detail,
        remedy: worst.remedy.join("\n"),
    })
}
