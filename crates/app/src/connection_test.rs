//! Tries a connection step by step, so that a form can say what works before anything is kept.

use std::time::Duration;

use cachescope_sources::error::{ErrorCode, SourceError};
use cachescope_sources::http::Credentials;
use cachescope_sources::http::metrics::{self, MetricsTarget};
use cachescope_sources::prometheus::query::PrometheusClient;
use cachescope_sources::redis::stages::{self, Attempt, Outcome, Stage};
use cachescope_sources::ssh::TrustedKey;
use cachescope_store::Secrets;

use crate::deployments;
use crate::doctor;
use crate::session::SessionPlan;
use crate::strategies;
use crate::wire::{ConnectionReport, ConnectionStep, DeploymentDraft, StepResult, UnknownHostKey, WireError};

/// Longer than a healthy server ever takes; short enough for someone who waits at a form.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the steps. Nothing is kept; a secret that the form left as it is comes from `known`, if it is known for just
/// the address that is tried. A `trusted` key of an SSH server that is not known is added to the operator's known hosts.
pub async fn run(draft: &DeploymentDraft, known: &Secrets, trusted: Option<TrustedKey>) -> ConnectionReport {
    let (deployment, secrets) = match deployments::from_draft_with(draft, known).await {
        Ok(read) => read,
        Err(error) => {
            let steps = vec![failed("Read the addresses", &error)];
            return ConnectionReport { usable: false, steps, trust: None };
        }
    };
    let mut plan = deployments::plan(deployment, secrets).await;
    plan.timeout = STEP_TIMEOUT;
    if let Some(key) = trusted {
        plan.trust(key);
    }
    of(&plan).await
}

/// The same for what was read already.
pub async fn of(plan: &SessionPlan) -> ConnectionReport {
    let mut steps = Vec::new();
    strategy(plan, &mut steps).await;
    let tunnel = tunnel(plan, &mut steps).await;
    let mut reached = 0;
    reached += usize::from(redis(plan, tunnel, &mut steps).await);
    let http = tunnel || !plan.deployment.ssh_http;
    if let Some(url) = &plan.deployment.prometheus_url {
        let title = format!("Ask the Prometheus at {url}");
        if http {
            reached += usize::from(prometheus(plan, title, &mut steps).await);
        } else {
            skip(&mut steps, &[title], NO_TUNNEL);
        }
    }
    for url in &plan.deployment.metrics_urls {
        let title = format!("Read the metrics page {url}");
        if http {
            reached += usize::from(page(plan, url, title, &mut steps).await);
        } else {
            skip(&mut steps, &[title], NO_TUNNEL);
        }
    }
    // A strategy with an error would be watched as if there were none: better mended before it is kept.
    let strategy_fine = plan.notice.is_empty();
    ConnectionReport { usable: reached > 0 && strategy_fine, steps, trust: None }
}

fn step(title: impl Into<String>, result: StepResult, detail: impl Into<String>) -> ConnectionStep {
    ConnectionStep {
        title: title.into(),
        result,
        detail: detail.into(),
        remedy: String::new(),
        unknown_host: None,
    }
}

fn failed(title: impl Into<String>, error: &WireError) -> ConnectionStep {
    ConnectionStep { remedy: error.remedy.clone(), ..step(title, StepResult::Failed, error.message.clone()) }
}

fn source_failed(title: impl Into<String>, error: &SourceError) -> ConnectionStep {
    ConnectionStep { remedy: error.remedy().to_owned(), ..step(title, StepResult::Failed, error.to_string()) }
}

/// A failure of what is reached directly although there is a tunnel: it may stand behind that.
fn http_failed(title: String, error: &SourceError, plan: &SessionPlan) -> ConnectionStep {
    let mut failed = source_failed(title, error);
    let direct = plan.deployment.ssh.as_ref().filter(|_| !plan.deployment.ssh_http);
    let out_of_reach = matches!(
        error.kind(),
        ErrorCode::Dns | ErrorCode::Refused | ErrorCode::Unreachable | ErrorCode::Timeout
    );
    if let Some(hop) = direct.filter(|_| out_of_reach) {
        failed
            .remedy
            .push_str(&format!("; where only {hop} reaches it, have it reached through the SSH tunnel, too"));
    }
    failed
}

async fn strategy(plan: &SessionPlan, steps: &mut Vec<ConnectionStep>) {
    let Some(name) = &plan.deployment.strategy else { return };
    let title = format!("Read the strategy {name}");
    let checked = strategies::check(name.clone()).await;
    match checked.summary {
        Some(summary) => {
            steps.push(step(title, StepResult::Ok, format!("{} namespaces", summary.namespaces)));
        }
        None => steps.push(step(title, StepResult::Failed, checked.problems.join(" / "))),
    }
}

/// Opens the tunnel. Returns whether what is to go through it can.
async fn tunnel(plan: &SessionPlan, steps: &mut Vec<ConnectionStep>) -> bool {
    let Some(tunnel) = &plan.ssh else { return true };
    let title = format!("Open the SSH tunnel through {}", tunnel.hop());
    match tunnel.open(STEP_TIMEOUT).await {
        Ok(()) => {
            steps.push(match tunnel.trusted_host().await {
                None => step(title, StepResult::Ok, "its key is known, and it lets us in"),
                Some((host, true)) => {
                    let detail =
                        format!("the key of {} was added to your known hosts, and it lets us in", host.host);
                    step(title, StepResult::Ok, detail)
                }
                Some((host, false)) => ConnectionStep {
                    remedy: "see whether you may write to ~/.ssh/known_hosts".to_owned(),
                    ..step(
                        title,
                        StepResult::Warning,
                        format!(
                            "it lets us in, but the key of {} can't be added to your known hosts",
                            host.host
                        ),
                    )
                },
            });
            true
        }
        Err(error) => {
            let unknown_host = tunnel.unknown_host().await.map(|unknown| UnknownHostKey {
                host: unknown.host,
                kind: unknown.kind,
                fingerprint: unknown.fingerprint,
            });
            steps.push(ConnectionStep { unknown_host, ..source_failed(title, &error) });
            false
        }
    }
}

/// Connects stage by stage, finds the servers and asks what can be measured. Returns whether one was reached.
async fn redis(plan: &SessionPlan, tunnel: bool, steps: &mut Vec<ConnectionStep>) -> bool {
    let address = match deployments::redis_address(plan) {
        Ok(Some(address)) => address,
        Ok(None) => return false,
        Err(error) => {
            steps.push(failed("Read the addresses", &error));
            return false;
        }
    };
    if !tunnel {
        skip(steps, &Stage::ALL.map(|stage| name_of(stage, "")), NO_TUNNEL);
        skip(steps, &AFTER_THEM, "not connected");
        return false;
    }
    let attempts = stages::attempts(&address, &plan.connect_options()).await;
    let Some(shown) = attempts.iter().find(|attempt| attempt.failure().is_none()).or(attempts.first()) else {
        return false;
    };
    stages_of(shown, steps);
    for other in attempts.iter().filter(|other| other.server != shown.server) {
        if let Some(error) = other.failure() {
            // One of several that does not answer: the others will do.
            let title = format!("Also named: {}", other.server);
            steps.push(ConnectionStep { result: StepResult::Warning, ..source_failed(title, error) });
        }
    }
    if shown.failure().is_some() {
        skip(steps, &AFTER_THEM, "not connected");
        return false;
    }
    survey(plan, steps).await
}

const NO_TUNNEL: &str = "no tunnel";

/// What follows the stages of connecting.
const AFTER_THEM: [&str; 2] = ["Topology", "Ask what can be measured"];

fn skip(steps: &mut Vec<ConnectionStep>, titles: &[impl AsRef<str>], why: &str) {
    steps.extend(titles.iter().map(|title| step(title.as_ref(), StepResult::Skipped, why)));
}

fn name_of(stage: Stage, server: &str) -> String {
    match stage {
        Stage::Resolve => "DNS".to_owned(),
        Stage::Reach if server.is_empty() => "TCP".to_owned(),
        Stage::Reach => format!("TCP to {server}"),
        Stage::Secure => "TLS".to_owned(),
        Stage::Authenticate => "AUTH".to_owned(),
        Stage::Ping => "PING".to_owned(),
    }
}

/// Those that were tried, and those that were not because one before them failed.
fn stages_of(attempt: &Attempt, steps: &mut Vec<ConnectionStep>) {
    for (stage, outcome) in &attempt.stages {
        let title = match (stage, attempt.server.starts_with('/')) {
            (Stage::Reach, true) => format!("Socket {}", attempt.server),
            _ => name_of(*stage, &attempt.server),
        };
        steps.push(match outcome {
            Outcome::Worked(found) => step(title, StepResult::Ok, found.clone()),
            Outcome::NotNeeded(why) => step(title, StepResult::Skipped, why.clone()),
            Outcome::Failed(error) => source_failed(title, error),
        });
    }
    let Some((last, Outcome::Failed(_))) = attempt.stages.last() else { return };
    let rest = Stage::ALL.into_iter().skip_while(|stage| stage != last).skip(1);
    skip(steps, &rest.map(|stage| name_of(stage, "")).collect::<Vec<_>>(), "not reached");
}

/// Finds the servers and asks what can be measured. Returns whether one was reached.
async fn survey(plan: &SessionPlan, steps: &mut Vec<ConnectionStep>) -> bool {
    let survey = match doctor::survey(plan).await {
        Ok(Some(survey)) => survey,
        Ok(None) => return false,
        Err(error) => {
            steps.push(failed("Topology", &error));
            skip(steps, &["Ask what can be measured"], "not connected");
            return false;
        }
    };
    let (remark, remedy) = survey.remark;
    let mut words = vec![format!("{}: {}", survey.topology, survey.report.server)];
    words.extend(Some(remark).filter(|remark| !remark.is_empty()));
    words.extend(survey.unreachable.iter().map(|(_, error)| error.to_string()));
    let result = if words.len() == 1 { StepResult::Ok } else { StepResult::Warning };
    steps.push(ConnectionStep { remedy, ..step("Topology", result, words.join("; ")) });
    for source in survey.report.sources {
        steps.push(ConnectionStep {
            title: source.source.spec().title.to_owned(),
            // What is missing here costs figures, not the connection.
            result: if source.result == StepResult::Failed { StepResult::Warning } else { source.result },
            detail: source.detail,
            remedy: source.remedy,
            unknown_host: None,
        });
    }
    true
}

async fn prometheus(plan: &SessionPlan, title: String, steps: &mut Vec<ConnectionStep>) -> bool {
    let Some(target) = plan.prometheus_target() else {
        steps.push(step(title, StepResult::Failed, "its address can't be read"));
        return false;
    };
    let asked = async {
        let client = PrometheusClient::new(&target.url, target.http)?;
        client.build_info().await
    };
    match asked.await {
        Ok(build) => {
            steps.push(step(title, StepResult::Ok, format!("Prometheus {}", build.version)));
            true
        }
        Err(error) => {
            steps.push(http_failed(title, &error, plan));
            false
        }
    }
}

async fn page(plan: &SessionPlan, url: &str, title: String, steps: &mut Vec<ConnectionStep>) -> bool {
    let mut target = MetricsTarget::new(url);
    target.http = plan.http_options(Credentials::None);
    match metrics::scrape(&target).await {
        Ok(page) if page.bad_line_count == 0 => {
            steps.push(step(title, StepResult::Ok, format!("{} series", page.samples.len())));
            true
        }
        Ok(page) => {
            let detail = format!(
                "{} series, and {} lines that can't be read; a Prometheus refuses such a page",
                page.samples.len(),
                page.bad_line_count
            );
            steps.push(step(title, StepResult::Warning, detail));
            true
        }
        Err(error) => {
            steps.push(http_failed(title, &error, plan));
            false
        }
    }
}
