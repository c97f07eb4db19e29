//! `cachescope scrape`: every series of a metrics page as read, with its bad lines.

use std::collections::BTreeMap;

use cachescope_model::metrics::Sample;
use cachescope_sources::http::metrics::{self, MetricsTarget};
use cachescope_sources::prometheus::exposition::Page;
use serde_json::{Value, json};

use crate::arguments::{Common, Scrape};
use crate::failure::Failure;
use crate::{deployment, output};

pub(crate) async fn run(command: Scrape, common: &Common) -> Result<(), Failure> {
    let mut target = MetricsTarget::new(&command.url);
    target.http = deployment::http_options(common, &command.way)?;
    let page = metrics::scrape(&target).await?;
    if let (true, Some(bad)) = (page.samples.is_empty(), page.bad_lines.first()) {
        let sentence = format!("that is not a metrics page: line {}: {}", bad.line, bad.error);
        return Err(Failure::server(sentence, "try the address that ends with /metrics"));
    }
    if common.json {
        output::text(&(serde_json::to_string(&document(&page))? + "\n"))?;
    } else {
        let lines: Vec<String> = page
            .samples
            .iter()
            .map(|sample| format!("{} {}\n", series(sample), number(sample.value)))
            .collect();
        output::text(&lines.concat())?;
    }
    if !common.json && page.bad_line_count > 0 {
        eprintln!(
            "cachescope: {} lines can't be read; a Prometheus drops the whole page for one of them",
            page.bad_line_count
        );
        for bad in &page.bad_lines {
            eprintln!("line {}: {}", bad.line, bad.error);
        }
    }
    Ok(())
}

fn document(page: &Page) -> Value {
    let series: Vec<Value> = page
        .samples
        .iter()
        .map(|sample| {
            let labels: BTreeMap<&str, &str> = sample.labels().collect();
            json!({
                "name": sample.name(),
                "labels": labels,
                "value": json_number(sample.value),
                "timestamp_ms": sample.at.millis(),
            })
        })
        .collect();
    let bad: Vec<Value> =
        page.bad_lines.iter().map(|bad| json!({ "line": bad.line, "error": bad.error })).collect();
    json!({ "series": series, "bad_lines": bad, "bad_line_count": page.bad_line_count })
}

/// JSON has no NaN and no infinities: they are written as Prometheus's API writes them, as strings.
fn json_number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(number(value)) }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

fn series(sample: &Sample) -> String {
    if sample.labels().len() == 0 {
        return sample.name().to_owned();
    }
    let labels: Vec<String> = sample.labels().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{}{{{}}}", sample.name(), labels.join(","))
}
