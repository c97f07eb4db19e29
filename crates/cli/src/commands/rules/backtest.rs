//! `cachescope rules backtest`: when rules would have fired.

use std::time::Duration;

use cachescope_app::backtest::{Backtest as Tested, Question, Recording, backtest};
use cachescope_app::rule_files;
use cachescope_model::duration;
use cachescope_model::time::Timestamp;
use cachescope_rules::series;
use cachescope_sources::prometheus::query::PrometheusClient;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::arguments::{Backtest, Common};
use crate::failure::Failure;
use crate::table::{Align, Table};
use crate::{deployment, output};

pub(crate) async fn run(command: Backtest, common: &Common) -> Result<(), Failure> {
    let strategy = super::named(command.strategy).await?;
    if command.threshold.is_some_and(|threshold| !threshold.is_finite()) {
        return Err(Failure::input("--threshold is not a number that a figure can be past"));
    }
    let question = |interval| Question {
        rule: command.rule.as_deref(),
        threshold: command.threshold,
        interval: command.interval.unwrap_or(interval),
    };
    let (tested, left_out) = if let Some(file) = &command.series {
        let text = rule_files::read(file.clone()).await?;
        let read = series::read(&text).map_err(super::in_file(file))?;
        let [test] = read.tests.as_slice() else {
            return Err(Failure::input(format!(
                "{}: it holds several tests; a backtest takes one",
                file.display()
            )));
        };
        backtest(&strategy, &Recording::Series(test), question(read.evaluation_interval)).await?
    } else if let Some(url) = &command.prometheus {
        let client = PrometheusClient::new(url, deployment::http_options(common, &command.way)?)?;
        let now = Timestamp(Utc::now().timestamp_millis());
        let (from, to) = (time(&command.from, now, "--from")?, time(&command.to, now, "--to")?);
        if to < from {
            return Err(Failure::input("--to lies before --from"));
        }
        let recording = Recording::Prometheus(&client, from, to);
        backtest(&strategy, &recording, question(Duration::from_secs(60))).await?
    } else {
        return Err(Failure::input("nothing is recorded to test on; give --prometheus URL or --series FILE"));
    };
    if common.json {
        return output::json(&json!({ "rules": tested, "not_tested": left_out }));
    }
    super::say_left_out("not tested:", &left_out);
    output::text(&thresholds(&tested))?;
    output::text(&episodes(&tested, command.series.is_some()))
}

/// A time as it is typed; how long ago where it is a duration.
fn time(text: &str, now: Timestamp, option: &str) -> Result<Timestamp, Failure> {
    if let Ok(ago) = duration::parse(text) {
        return Ok(now.plus_millis(-i64::try_from(ago.as_millis()).unwrap_or(i64::MAX / 2)));
    }
    if let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| (0.0..1e11).contains(seconds)) {
        return Ok(Timestamp((seconds * 1000.0) as i64));
    }
    let read = DateTime::parse_from_rfc3339(text);
    read.map(|read| Timestamp(read.timestamp_millis())).map_err(|_| {
        Failure::input(format!(
            "{option} {text:?} is no time; write 2026-03-01T06:00:00Z, seconds since 1970, or 24h"
        ))
    })
}

fn thresholds(tested: &[Tested]) -> String {
    let mut table = Table::new(&[
        ("RULE", Align::Left),
        ("THRESHOLD", Align::Right),
        ("FIRED", Align::Right),
        ("PENDING ONLY", Align::Right),
        ("IN ALL", Align::Right),
        ("LONGEST", Align::Right),
        ("NO DATA", Align::Right),
    ]);
    for rule in tested {
        for (place, tried) in rule.tried.iter().enumerate() {
            let threshold = tried.threshold.map(|threshold| threshold.to_string()).unwrap_or_default();
            let no_data = format!("{} of {}", rule.without_data, rule.evaluations);
            table.row(vec![
                if place == 0 { rule.rule.clone() } else { String::new() },
                if tried.own { format!("{threshold} (own)") } else { threshold },
                tried.fired.to_string(),
                tried.pending_only.to_string(),
                length(tried.seconds),
                length(tried.longest_seconds),
                if place == 0 { no_data } else { String::new() },
            ]);
        }
    }
    table.render()
}

/// Each time that a rule fired with its first threshold.
fn episodes(tested: &[Tested], relative: bool) -> String {
    let mut table = Table::new(&[
        ("RULE", Align::Left),
        ("FIRED AT", Align::Left),
        ("FOR", Align::Right),
        ("VALUE", Align::Right),
        ("LABELS", Align::Left),
    ]);
    let mut any = false;
    for (rule, tried) in tested.iter().filter_map(|rule| Some((rule, rule.tried.first()?))) {
        for episode in &tried.episodes {
            any = true;
            let open = if episode.resolved_at.is_none() { ", to the end" } else { "" };
            let labels =
                episode.labels.iter().filter(|(name, _)| !matches!(name.as_str(), "severity" | "strategy"));
            let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value:?}")).collect();
            table.row(vec![
                rule.rule.clone(),
                at(episode.fired_at, relative),
                format!("{}{open}", length(episode.seconds)),
                episode.value.map(|value| format!("{value:.4}")).unwrap_or_default(),
                labels.join(" "),
            ]);
        }
    }
    if any { format!("\n{}", table.render()) } else { String::new() }
}

fn length(seconds: f64) -> String {
    duration::format(Duration::from_secs_f64(seconds.max(0.0)))
}

/// A time of day, or how long after the series' beginning.
fn at(at: Timestamp, relative: bool) -> String {
    if relative {
        return length(at.seconds_since(Timestamp(0)));
    }
    output::utc(at)
}
