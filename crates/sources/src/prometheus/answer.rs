//! What Prometheus's HTTP API answers (`/api/v1`), as data.

use std::collections::BTreeMap;

use cachescope_model::metrics::{self, Sample};
use cachescope_model::time::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};

use super::number;
use crate::error::{ErrorCode, SourceError};
use crate::http::Answer;

/// The envelope of every answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

/// A query's result.
#[derive(Debug, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(super) enum QueryResult {
    Vector(Vec<Vector>),
    Matrix(Vec<Matrix>),
    Scalar(Point),
    String(serde::de::IgnoredAny),
}

#[derive(Debug, Deserialize)]
pub(super) struct Vector {
    metric: BTreeMap<String, String>,
    /// Absent where the sample is a native histogram.
    value: Option<Point>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Matrix {
    metric: BTreeMap<String, String>,
    /// Absent where all samples are native histograms.
    #[serde(default)]
    values: Vec<Point>,
}

/// A sample: seconds since the epoch and the value as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    at: Timestamp,
    value: f64,
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seconds, text) = <(f64, String)>::deserialize(deserializer)?;
        let value = number::parse(text.as_bytes())
            .ok_or_else(|| D::Error::custom(format!("{text:?} is no sample value")))?;
        Ok(Self { at: Timestamp((seconds * 1000.0).round() as i64), value })
    }
}

/// One series of a query's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its metric name; empty where the query took it away.
    pub name: String,
    /// Its labels without `__name__`, sorted by name.
    pub labels: Vec<(String, String)>,
    /// Its samples, oldest first.
    pub points: Vec<(Timestamp, f64)>,
}

impl Series {
    fn new(mut metric: BTreeMap<String, String>, points: impl IntoIterator<Item = Point>) -> Self {
        let name = metric.remove("__name__").unwrap_or_default();
        let points = points.into_iter().map(|point| (point.at, point.value)).collect();
        Self { name, labels: metric.into_iter().collect(), points }
    }

    /// Its points as samples.
    pub fn into_samples(self) -> impl Iterator<Item = Sample> {
        let Self { name, labels, points } = self;
        let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let series = metrics::Series::new(&name, labels);
        points.into_iter().map(move |(at, value)| Sample { series: series.clone(), value, at })
    }
}

/// A query's result.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number without labels.
    Scalar(Timestamp, f64),
    /// Series, each with its samples; of an instant query each with one, unless its selector has a range.
    Series(Vec<Series>),
}

impl From<QueryResult> for Value {
    fn from(read: QueryResult) -> Self {
        match read {
            QueryResult::Scalar(point) => Self::Scalar(point.at, point.value),
            QueryResult::Vector(rows) => {
                let rows = rows.into_iter().filter(|row| row.value.is_some());
                Self::Series(rows.map(|row| Series::new(row.metric, row.value)).collect())
            }
            QueryResult::Matrix(rows) => {
                let rows = rows.into_iter().filter(|row| !row.values.is_empty());
                Self::Series(rows.map(|row| Series::new(row.metric, row.values)).collect())
            }
            QueryResult::String(_) => Self::Series(Vec::new()),
        }
    }
}

/// Which server this is (`/api/v1/status/buildinfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct BuildInfo {
    /// Its version, such as `2.42.0`.
    #[serde(default)]
    pub version: String,
}

/// Takes an answer out of its envelope; with it come the server's warnings.
pub(super) fn open<T: DeserializeOwned>(
    answer: &Answer,
    address: &str,
    asked: &str,
) -> Result<(T, Vec<String>), SourceError> {
    let read: Result<Envelope<T>, _> = serde_json::from_slice(&answer.body);
    let envelope = match read {
        Ok(envelope) => envelope,
        Err(error) => return Err(not_prometheus(answer, address, &error.to_string())),
    };
    match envelope.data {
        Some(data) if envelope.status == "success" => Ok((data, envelope.warnings)),
        _ => Err(refused(&envelope.error_type, &envelope.error, address, asked)),
    }
}

fn refused(kind: &str, error: &str, address: &str, asked: &str) -> SourceError {
    let error = if error.is_empty() { "it gives no reason" } else { error };
    let (code, remedy) = match kind {
        "bad_data" => (ErrorCode::Protocol, "correct the query"),
        "timeout" | "canceled" => (ErrorCode::Timeout, "ask for less, or raise the server's query.timeout"),
        "execution" if error.contains("too many samples") => {
            (ErrorCode::TooLarge, "ask for a shorter time, or raise the server's query.max-samples")
        }
        "unavailable" => (ErrorCode::Busy, "it is tried again"),
        _ => (ErrorCode::Server, "look at the server's log"),
    };
    SourceError::new(code, format!("Prometheus at {address} refuses {asked}: {error}"), remedy)
}

fn not_prometheus(answer: &Answer, address: &str, error: &str) -> SourceError {
    let status = answer.status;
    let remedy = "give the base address of a Prometheus server, such as http://host:9090";
    if status.is_server_error() {
        let sentence = format!("Prometheus at {address} answers with an error of its own ({status})");
        return SourceError::new(ErrorCode::Server, sentence, "look at the log of the server or its proxy");
    }
    let what = match status.as_u16() {
        404 => "it has no page for queries (404)".to_owned(),
        405 => "it takes no POST requests (405)".to_owned(),
        200 if crate::prometheus::exposition::is_html(&answer.body) => {
            "it answers with an HTML page".to_owned()
        }
        200 => format!("its answer can't be read ({error})"),
        _ => format!("it answers with {status}"),
    };
    SourceError::new(ErrorCode::Protocol, format!("{address} is no Prometheus server: {what}"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let status = status.try_into().expect("a status");
        Answer { status, content_type: None, body: body.as_bytes().to_vec() }
    }

    fn value(body: &str) -> Result<Value, SourceError> {
        let read = open::<QueryResult>(&answer(200, body), "http://p:9090", "the query `up`");
        read.map(|(value, _)| value.into())
    }

    #[test]
    fn results_of_every_kind_are_read_with_their_odd_numbers() {
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"-Inf"]}}"#;
        assert_eq!(value(scalar).expect("a scalar"), Value::Scalar(Timestamp(1500), f64::NEG_INFINITY));

        let matrix = r#"{"status":"success","warnings":["w"],"data":{"resultType":"matrix","result":[
            {"metric":{"le":"1","__name__":"m","a":"é\"\n"},"values":[[1,"1"],[1.001,"+Inf"]]},
            {"metric":{"__name__":"native"},"histograms":[[1,{"count":"1","sum":"1"}]]}]}}"#;
        let Value::Series(series) = value(matrix).expect("a matrix") else { panic!("series expected") };
        assert_eq!(series.len(), 1, "native histograms are left out");
        assert_eq!(series[0].name, "m");
        assert_eq!(series[0].labels[0], ("a".to_owned(), "é\"\n".to_owned()));
        assert_eq!(series[0].points, [(Timestamp(1000), 1.0), (Timestamp(1001), f64::INFINITY)]);

        let vector = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{},"value":[1700000000.123,"NaN"]}]}}"#;
        let Value::Series(series) = value(vector).expect("a vector") else { panic!("series expected") };
        assert_eq!(series[0].points[0].0, Timestamp(1_700_000_000_123));
        assert!(series[0].points[0].1.is_nan());

        let text = r#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#;
        assert_eq!(value(text).expect("a string"), Value::Series(Vec::new()));
    }

    #[test]
    fn refusals_and_other_servers_are_told_apart() {
        for (status, body, code, words) in [
            (
                400,
                r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
                "protocol",
                "parse error",
            ),
            (
                422,
                r#"{"status":"error","errorType":"execution","error":"query processing would load too many samples"}"#,
                "too_large",
                "too many samples",
            ),
            (
                503,
                r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
                "timeout",
                "timed out",
            ),
            (404, "404 page not found", "protocol", "is no Prometheus server"),
            (200, "<!doctype html>", "protocol", "HTML page"),
            (200, "{}", "protocol", "can't be read"),
            (
                200,
                r#"{"status":"success","data":{"resultType":"scalar","result":[1,"x"]}}"#,
                "protocol",
                "can't",
            ),
            (502, "Bad Gateway", "server", "502"),
        ] {
            let read = open::<QueryResult>(&answer(status, body), "http://p:9090", "the query `up`");
            let error = read.expect_err(body);
            assert_eq!(error.code(), code, "{body}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
