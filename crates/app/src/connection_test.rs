//! Tries a connection step by step, so that a form can say what works before anything is kept.

use std::time::Duration;

use cachescope_sources::error::{ErrorCode, SourceError};
use cachescope_sources::http::Credentials;
use cachescope_sources::http::metrics::{self, MetricsTarget};
use cachescope_sources::prometheus::query::PrometheusClient;

use crate::deployments::{self, KeptSecrets};
use crate::doctor;
use crate::session::SessionPlan;
use crate::strategies;
use crate::wire::{ConnectionReport, ConnectionStep, DeploymentDraft, StepResult, WireError};

/// Longer than a healthy server ever takes; short enough for someone who waits at a form.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the steps. Nothing is kept; `kept` fills in the secrets that the form left as they are.
pub async fn run(draft: &DeploymentDraft, kept: KeptSecrets) -> ConnectionReport {
    let mut steps = Vec::new();
    let (deployment, secrets) = match deployments::from_draft(draft) {
        Ok(read) => read,
        Err(error) => {
            steps.push(failed("Read the addresses", &error));
            return ConnectionReport { usable: false, steps };
        }
    };
    let mut plan = deployments::plan(deployment, secrets.over(kept)).await;
    plan.timeout = STEP_TIMEOUT;
    of(&plan).await
}

/// The same for what was read already.
pub async fn of(plan: &SessionPlan) -> ConnectionReport {
    let mut steps = Vec::new();
    strategy(plan, &mut steps).await;
    let tunnel = tunnel(plan, &mut steps).await;
    let mut reached = 0;
    if let Some(url) = &plan.deployment.redis_url {
        let title = format!("Connect to {url}");
        if tunnel {
            reached += usize::from(redis(plan, title, &mut steps).await);
        } else {
            steps.push(step(title, StepResult::Skipped, "no tunnel"));
            steps.push(step("Ask what can be measured", StepResult::Skipped, "not connected"));
        }
    }
    let http = tunnel || !plan.deployment.ssh_http;
    if let Some(url) = &plan.deployment.prometheus_url {
        let title = format!("Ask the Prometheus at {url}");
        if http {
            reached += usize::from(prometheus(plan, title, &mut steps).await);
        } else {
            steps.push(step(title, StepResult::Skipped, "no tunnel"));
        }
    }
    for url in &plan.deployment.metrics_urls {
        let title = format!("Read the metrics page {url}");
        if http {
            reached += usize::from(page(plan, url, title, &mut steps).await);
        } else {
            steps.push(step(title, StepResult::Skipped, "no tunnel"));
        }
    }
    // A strategy with an error would be watched as if there were none: better mended before it is kept.
    let strategy_fine = plan.notice.is_empty();
    ConnectionReport { usable: reached > 0 && strategy_fine, steps }
}

fn step(title: impl Into<String>, result: StepResult, detail: impl Into<String>) -> ConnectionStep {
    ConnectionStep { title: title.into(), result, detail: detail.into(), remedy: String::new() }
}

fn failed(title: impl Into<String>, error: &WireError) -> ConnectionStep {
    ConnectionStep { remedy: error.remedy.clone(), ..step(title, StepResult::Failed, error.message.clone()) }
}

fn source_failed(title: impl Into<String>, error: &SourceError) -> ConnectionStep {
    ConnectionStep { remedy: error.remedy().to_owned(), ..step(title, StepResult::Failed, error.to_string()) }
}

/// A failure of what is reached directly although there is a tunnel: it may stand behind it, too.
fn direct_failed(title: String, error: &SourceError, plan: &SessionPlan) -> ConnectionStep {
    let mut failed = source_failed(title, error);
    let unreachable = matches!(
        error.kind(),
        ErrorCode::Dns | ErrorCode::Refused | ErrorCode::Unreachable | ErrorCode::Timeout
    );
    if let Some(hop) = plan.deployment.ssh.as_ref().filter(|_| unreachable && !plan.deployment.ssh_http) {
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

/// Opens the tunnel. Returns whether nothing that is to go through it has to be skipped.
async fn tunnel(plan: &SessionPlan, steps: &mut Vec<ConnectionStep>) -> bool {
    let Some(tunnel) = &plan.ssh else { return true };
    let title = format!("Open the SSH tunnel through {}", tunnel.hop());
    match tunnel.open(STEP_TIMEOUT).await {
        Ok(()) => {
            steps.push(step(title, StepResult::Ok, "its key is known, and it lets us in"));
            true
        }
        Err(error) => {
            steps.push(source_failed(title, &error));
            false
        }
    }
}

/// Finds the servers and asks what can be measured. Returns whether one was reached.
async fn redis(plan: &SessionPlan, title: String, steps: &mut Vec<ConnectionStep>) -> bool {
    let survey = match doctor::survey(plan).await {
        Ok(Some(survey)) => survey,
        Ok(None) => return false,
        Err(error) => {
            steps.push(failed(title, &error));
            steps.push(step("Ask what can be measured", StepResult::Skipped, "not connected"));
            return false;
        }
    };
    steps.push(step(title, StepResult::Ok, survey.report.server));
    let (remark, remedy) = survey.remark;
    let mut words = vec![survey.topology];
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
            steps.push(direct_failed(title, &error, plan));
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
            steps.push(direct_failed(title, &error, plan));
            false
        }
    }
}
