//! What the deployment's Prometheus says: to rules that are queries, and about its own rules and alerts. Asked
//! beside the judging, so that a server that hangs delays nothing.

use std::sync::Arc;
use std::time::Duration;

use cachescope_engine::rules::QueryAnswer;
use cachescope_model::alert::AlertLabels;
use cachescope_model::marks::Mark;
use cachescope_model::visible::{visible, visible_prose};
use cachescope_sources::error::SourceError;
use cachescope_sources::prometheus::rules::{ServerAlert, ServerRule};
use cachescope_sources::prometheus::{PrometheusClient, Value};
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::announced::Announced;
use super::judging::Judged;
use crate::session::Session;
use crate::wire::{ForeignAlert, ForeignAlerts, ForeignRule};

/// The server's own rules and alerts change at its evaluation interval, seldom shorter than this.
const FOREIGN_EVERY: u32 = 3;
/// An answer that is older says nothing about now.
const OLDEST: Duration = Duration::from_secs(30);
/// Alerts and rules that are shown.
const MOST_ALERTS: usize = 200;
const MOST_RULES: usize = 500;
/// Series that one rule may give; more are a mistake of the query.
const MOST_SERIES: usize = 10_000;

/// An answer with its age.
type Answered = Vec<(String, QueryAnswer, Instant)>;

/// The asking task; it ends when this is dropped.
pub(super) struct Queries {
    wanted: Vec<(String, String)>,
    answers: Arc<Mutex<Answered>>,
    marks: Arc<Mutex<Vec<Mark>>>,
    cancel: CancellationToken,
}

impl Drop for Queries {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Queries {
    /// Asks once every `interval`.
    pub(super) fn start(
        session: &Session,
        judged: &Arc<Judged>,
        wanted: Vec<(String, String)>,
        interval: Duration,
    ) -> Self {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let marks = Arc::new(Mutex::new(Vec::new()));
        let cancel = CancellationToken::new();
        if let Some(target) = session.plan().prometheus_target() {
            let asking = Asking {
                judged: Arc::clone(judged),
                wanted: wanted.clone(),
                answers: Arc::clone(&answers),
                announced: Announced::default(),
                marks: Arc::clone(&marks),
                target,
                interval,
                client: None,
            };
            let ended = cancel.clone();
            tokio::spawn(async move { ended.run_until_cancelled(asking.run()).await });
        }
        Self { wanted, answers, marks, cancel }
    }

    /// Whether every rule that is a query has an answer.
    pub(super) fn are_answered(&self) -> bool {
        self.answers.lock().len() >= self.wanted.len()
    }

    /// Marks that have been found since the last time this was asked.
    pub(super) fn take_marks(&self) -> Vec<Mark> {
        std::mem::take(&mut self.marks.lock())
    }

    /// The last answer to each rule that is a query.
    pub(super) fn answers(&self) -> Vec<(String, QueryAnswer)> {
        let answers = self.answers.lock();
        let answer = |rule: &String| match answers.iter().find(|(of, ..)| of == rule) {
            Some((_, answer, at)) if at.elapsed() < OLDEST => answer.clone(),
            Some(_) => Err("the Prometheus server has not answered for 30 s".to_owned()),
            None => Err("there is no Prometheus to ask, or it has not answered yet".to_owned()),
        };
        self.wanted.iter().map(|(rule, _)| (rule.clone(), answer(rule))).collect()
    }
}

struct Asking {
    judged: Arc<Judged>,
    wanted: Vec<(String, String)>,
    answers: Arc<Mutex<Answered>>,
    announced: Announced,
    marks: Arc<Mutex<Vec<Mark>>>,
    target: cachescope_sources::prometheus::PrometheusTarget,
    interval: Duration,
    client: Option<PrometheusClient>,
}

impl Asking {
    async fn run(mut self) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut round = 0;
        loop {
            ticks.tick().await;
            let client = match &self.client {
                Some(client) => client,
                None => match PrometheusClient::new(&self.target.url, self.target.http.clone()) {
                    Ok(client) => self.client.insert(client),
                    Err(error) => {
                        self.judged.standing.lock().foreign = failed(String::new(), &error);
                        continue;
                    }
                },
            };
            // One after the other: a rule's query may be costly, and the next round comes anyway.
            for (rule, expr) in &self.wanted {
                let answer = client.instant(expr, None).await;
                let answer = answer.map(|queried| queried.value).map_err(|error| error.to_string());
                let answer = answer.and_then(series);
                let mut answers = self.answers.lock();
                answers.retain(|(of, ..)| of != rule);
                answers.push((rule.clone(), answer, Instant::now()));
            }
            if round % FOREIGN_EVERY == 0 {
                for query in &self.judged.strategy.marks {
                    match client.instant(&query.promql, None).await.map(|queried| series(queried.value)) {
                        Ok(Ok(series)) => {
                            let now = crate::session::wall_clock_now();
                            let found = self.announced.compare(&self.judged.deployment, query, series, now);
                            self.marks.lock().extend(found);
                        }
                        Ok(Err(why)) => {
                            tracing::warn!(mark = query.name, why, "a mark's query can't be used")
                        }
                        Err(error) => {
                            tracing::debug!(mark = query.name, %error, "a mark's query has no answer")
                        }
                    }
                }
                let foreign = foreign(client).await;
                let mut standing = self.judged.standing.lock();
                let at = standing.foreign.at;
                standing.foreign = foreign;
                // The last answer's time stays where this one failed.
                standing.foreign.at = standing.foreign.at.or(at);
            }
            round += 1;
        }
    }
}

fn series(value: Value) -> QueryAnswer {
    match value {
        Value::Scalar(_, value) => Ok(vec![(AlertLabels::new(), value)]),
        Value::Series(series) if series.len() > MOST_SERIES => {
            Err(format!("the query gives {} series, more than {MOST_SERIES}: aggregate it", series.len()))
        }
        Value::Series(series) => Ok(series
            .into_iter()
            .filter_map(|series| {
                let (_, value) = series.points.last().copied()?;
                Some((series.labels.into_iter().collect(), value))
            })
            .collect()),
    }
}

async fn foreign(client: &PrometheusClient) -> ForeignAlerts {
    let server = client.address().to_owned();
    let asked = match client.alerts().await {
        Ok(alerts) => client.alerting_rules().await.map(|rules| (alerts, rules)),
        Err(error) => Err(error),
    };
    match asked {
        Ok((alerts, rules)) => shown(server, alerts, rules),
        Err(error) => failed(server, &error),
    }
}

fn failed(server: String, error: &SourceError) -> ForeignAlerts {
    ForeignAlerts {
        server,
        detail: error.to_string(),
        remedy: error.remedy().to_owned(),
        ..ForeignAlerts::default()
    }
}

/// Labels and annotations as they may be shown: whoever writes a server's rules or metrics writes them.
fn readable(texts: AlertLabels) -> AlertLabels {
    texts.into_iter().map(|(name, text)| (name, visible_prose(&text).into_owned())).collect()
}

fn shown(server: String, alerts: Vec<ServerAlert>, rules: Vec<ServerRule>) -> ForeignAlerts {
    let total = u32::try_from(alerts.len()).unwrap_or(u32::MAX);
    let mut alerts: Vec<ForeignAlert> = alerts
        .into_iter()
        .map(|alert| ForeignAlert {
            name: visible(&alert.name).into_owned(),
            state: alert.state,
            labels: readable(alert.labels),
            annotations: readable(alert.annotations),
            active_at: alert.active_at,
            value: alert.value.filter(|value| value.is_finite()),
        })
        .collect();
    alerts.sort_by(|one, other| {
        let firing = |alert: &ForeignAlert| alert.state != "firing";
        firing(one)
            .cmp(&firing(other))
            .then_with(|| (&one.name, &one.labels).cmp(&(&other.name, &other.labels)))
    });
    alerts.truncate(MOST_ALERTS);
    let rules = rules
        .into_iter()
        .take(MOST_RULES)
        .map(|rule| ForeignRule {
            name: visible(&rule.name).into_owned(),
            group: visible(&rule.group).into_owned(),
            query: visible_prose(&rule.query).into_owned(),
            health: rule.health,
            last_error: visible_prose(&rule.last_error).into_owned(),
            state: rule.state,
            for_seconds: rule.for_seconds,
        })
        .collect();
    let at = Some(crate::session::wall_clock_now());
    ForeignAlerts { server, at, alerts, total, rules, ..ForeignAlerts::default() }
}
