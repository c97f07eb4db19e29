//! A file of series: promtool's unit tests, or the keys of one test alone.

use std::time::Duration;

use cachescope_model::alert::AlertLabels;
use cachescope_model::duration;

use super::notation;
use crate::problem::Problem;
use crate::promql::storage::METRIC_NAME;
use crate::promql::{Series, Storage, parse};
use crate::yaml::{self, Node};

/// The longest time that is replayed, in evaluations.
const MOST_EVALUATIONS: i64 = 1_100_000;

/// What a file says.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesFile {
    /// From one evaluation to the next.
    pub evaluation_interval: Duration,
    /// The tests, each with its own series; one where the file holds series alone.
    pub tests: Vec<SeriesTest>,
}

/// Series that are judged together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesTest {
    /// Its name; empty where it has none.
    pub name: String,
    /// The series.
    pub storage: Storage,
    /// The last evaluation is at this time or before: that of the last sample, or of the last question that the file
    /// asks promtool.
    pub until: Duration,
}

/// Reads a file.
///
/// # Errors
/// What is wrong, with its line.
pub fn read(text: &str) -> Result<SeriesFile, Problem> {
    let Some(top) = yaml::read(text)? else {
        return Err(Problem::new(1, "the file is empty; write evaluation_interval and input_series"));
    };
    let evaluation_interval = length(&top, "evaluation_interval")?.unwrap_or(Duration::from_secs(60));
    let nodes: Vec<&Node> = match top.get("tests") {
        Some(tests) => tests.list("tests")?.iter().collect(),
        None => vec![&top],
    };
    if nodes.iter().all(|node| node.get("input_series").is_none()) {
        return Err(Problem::new(
            top.line,
            "there is no `input_series`; write input_series: and below it - series: … with values: …",
        ));
    }
    let tests: Result<Vec<_>, _> = nodes.into_iter().map(|node| test(node, evaluation_interval)).collect();
    Ok(SeriesFile { evaluation_interval, tests: tests? })
}

fn test(node: &Node, evaluation_interval: Duration) -> Result<SeriesTest, Problem> {
    let interval = length(node, "interval")?.unwrap_or(evaluation_interval);
    let mut test = SeriesTest {
        name: node.get("name").and_then(Node::text).unwrap_or_default().to_owned(),
        ..SeriesTest::default()
    };
    let step = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
    for entry in node.get("input_series").map_or(Ok(&[][..]), |node| node.list("input_series"))? {
        let series = series(entry, step)?;
        if let Some((last, _)) = series.samples.last() {
            test.until = test.until.max(Duration::from_millis(last.unsigned_abs()));
        }
        test.storage.insert(series);
    }
    for key in ["alert_rule_test", "promql_expr_test"] {
        for asked in node.get(key).map_or(Ok(&[][..]), |node| node.list(key))? {
            if let Some(at) = length_or_zero(asked, "eval_time")? {
                test.until = test.until.max(at);
            }
        }
    }
    let evaluations = test.until.as_millis() / evaluation_interval.as_millis().max(1);
    if evaluations > MOST_EVALUATIONS.unsigned_abs().into() {
        return Err(Problem::new(
            node.line,
            format!("it takes {evaluations} evaluations; at most {MOST_EVALUATIONS} are made"),
        ));
    }
    Ok(test)
}

fn series(entry: &Node, step: i64) -> Result<Series, Problem> {
    let field = |key: &str| {
        let node =
            entry.get(key).ok_or_else(|| Problem::new(entry.line, format!("a series has no `{key}`")))?;
        let text = node.text().ok_or_else(|| Problem::new(node.line, format!("`{key}` is no text")))?;
        Ok((node.line, text))
    };
    let (line, written) = field("series")?;
    let selector = parse::series(written)
        .map_err(|what| Problem::new(line, format!("the series {written:?}: {what}")))?;
    let mut labels: AlertLabels = AlertLabels::new();
    if !selector.name.is_empty() {
        labels.insert(METRIC_NAME.to_owned(), selector.name);
    }
    for matcher in selector.matchers {
        if labels.contains_key(&matcher.label) {
            return Err(Problem::new(
                line,
                format!("the series {written:?} has the label {} twice", matcher.label),
            ));
        }
        // An empty label is none.
        if !matcher.value.is_empty() {
            labels.insert(matcher.label, matcher.value);
        }
    }
    let (line, values) = field("values")?;
    let values = notation::values(values)
        .map_err(|what| Problem::new(line, format!("the values of {written}: {what}")))?;
    let last = i64::try_from(values.len()).unwrap_or(i64::MAX).checked_mul(step);
    if last.is_none() {
        return Err(Problem::new(line, "the series reaches further than time does"));
    }
    let at = (0..).map(|place: i64| place * step);
    let samples = at.zip(values).filter_map(|(at, value)| Some((at, value?))).collect();
    Ok(Series { labels, samples })
}

/// A duration longer than 0.
fn length(node: &Node, key: &str) -> Result<Option<Duration>, Problem> {
    match length_or_zero(node, key)? {
        Some(Duration::ZERO) => {
            let line = node.get(key).map_or(node.line, |node| node.line);
            Err(Problem::new(line, format!("`{key}` is 0; write a duration such as 15s or 1m")))
        }
        length => Ok(length),
    }
}

fn length_or_zero(node: &Node, key: &str) -> Result<Option<Duration>, Problem> {
    let Some(node) = node.get(key) else { return Ok(None) };
    let text = node.text().ok_or_else(|| Problem::new(node.line, format!("`{key}` is no duration")))?;
    duration::parse(text).map(Some).map_err(|error| Problem::new(node.line, format!("`{key}`: {error}")))
}
