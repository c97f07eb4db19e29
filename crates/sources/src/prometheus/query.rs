//! Queries to a Prometheus server, or to what speaks its HTTP API (Thanos, Mimir, VictoriaMetrics).

use std::time::Duration;

use cachescope_model::duration;
use cachescope_model::metrics::Sample;
use cachescope_model::time::Timestamp;

use super::answer::{self, BuildInfo, QueryResult, Series, Value};
use crate::error::SourceError;
use crate::http::{Answer, HttpClient, HttpOptions};

/// The largest answer to a query, in bytes.
pub const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// A query's result with what the server had to remark about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Queried<T> {
    /// The result.
    pub value: T,
    /// Warnings in the server's own words, such as that a store did not answer.
    pub warnings: Vec<String>,
}

/// A client for one server.
#[derive(Clone, Debug)]
pub struct PrometheusClient {
    http: HttpClient,
}

impl PrometheusClient {
    /// A client for the server whose base address this is. The answer's bound is [`MAX_ANSWER_BYTES`] at most.
    ///
    /// # Errors
    /// When the address or the certificate files can't be used.
    pub fn new(url: &str, options: HttpOptions) -> Result<Self, SourceError> {
        let options = HttpOptions { max_bytes: options.max_bytes.min(MAX_ANSWER_BYTES), ..options };
        Ok(Self { http: HttpClient::new(url, options)? })
    }

    /// The server's base address, as it may be shown.
    #[must_use]
    pub fn address(&self) -> &str {
        self.http.address().as_str()
    }

    /// The query's value at `at`, or at the server's own time.
    ///
    /// # Errors
    /// When the server can't be reached, is no Prometheus, or refuses the query.
    pub async fn instant(&self, query: &str, at: Option<Timestamp>) -> Result<Queried<Value>, SourceError> {
        let at = at.map(seconds);
        let mut form = vec![("query", query)];
        form.extend(at.as_deref().map(|at| ("time", at)));
        self.query("api/v1/query", &form, query).await
    }

    /// The query's values from `start` to `end`, both included, every `step`.
    ///
    /// # Errors
    /// As [`Self::instant`]; Prometheus also refuses more than 11,000 points a series.
    pub async fn range(
        &self,
        query: &str,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
    ) -> Result<Queried<Vec<Series>>, SourceError> {
        let (start, end, step) = (seconds(start), seconds(end), step.as_secs_f64().to_string());
        let form = [("query", query), ("start", &start), ("end", &end), ("step", &step)];
        Ok(self.query("api/v1/query_range", &form, query).await?.map(series_of))
    }

    /// The samples that the server stored for `selector` during the last `span`, each with its own time: the
    /// differences between them are exact, where `rate()` and `increase()` extrapolate.
    ///
    /// # Errors
    /// As [`Self::instant`].
    pub async fn range_samples(
        &self,
        selector: &str,
        span: Duration,
    ) -> Result<Queried<Vec<Sample>>, SourceError> {
        let query = format!("{selector}[{}]", duration::format(span.max(Duration::from_millis(1))));
        let queried = self.instant(&query, None).await?;
        Ok(queried.map(|value| series_of(value).into_iter().flat_map(Series::into_samples).collect()))
    }

    /// Which server this is. Others than Prometheus may not say.
    ///
    /// # Errors
    /// When the server can't be reached or is no Prometheus.
    pub async fn build_info(&self) -> Result<BuildInfo, SourceError> {
        let answer = self.http.get_below("api/v1/status/buildinfo").await?;
        answer::open(&answer, self.address(), "the question for its version").map(|(info, _)| info)
    }

    pub(super) async fn get_below(&self, path: &str) -> Result<Answer, SourceError> {
        self.http.get_below(path).await
    }

    async fn query(
        &self,
        path: &str,
        form: &[(&str, &str)],
        query: &str,
    ) -> Result<Queried<Value>, SourceError> {
        let answer = self.http.post_form(path, form).await?;
        let asked = format!("the query `{query}`");
        let (value, warnings) = answer::open::<QueryResult>(&answer, self.address(), &asked)?;
        Ok(Queried { value: value.into(), warnings })
    }
}

impl<T> Queried<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Queried<U> {
        Queried { value: change(self.value), warnings: self.warnings }
    }
}

/// A number without labels counts as a series without a name.
fn series_of(value: Value) -> Vec<Series> {
    match value {
        Value::Series(series) => series,
        Value::Scalar(at, value) => {
            vec![Series { name: String::new(), labels: Vec::new(), points: vec![(at, value)] }]
        }
    }
}

/// Seconds since the epoch with milliseconds, as the API takes them.
fn seconds(at: Timestamp) -> String {
    let (sign, millis) = (if at.millis() < 0 { "-" } else { "" }, at.millis().unsigned_abs());
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}
