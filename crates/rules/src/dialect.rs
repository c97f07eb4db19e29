//! A rule's subject in the names that the application and redis_exporter give their metrics.

use std::time::Duration;

use cachescope_model::alert::AlertLabels;
use cachescope_model::alert::label::{LAYER, NAMESPACE};
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::strategy::{CacheLayer, LayerKind, MetricNames, Namespace, Strategy, Subject};
use cachescope_model::window::Window;

use crate::promql::{Expr, MatchKind, Matcher, Operator, Selector, parse};

/// One of the things that a rule judges: what is the same in all of its series, and the expression of its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Labels that say which of the rule's things it is, as our own evaluation labels it.
    pub labels: AlertLabels,
    /// The figure, in base units.
    pub value: Expr,
    /// Lookups in the window, where the application counts them.
    pub lookups: Option<Expr>,
}

/// The parts of a subject.
///
/// # Errors
/// Where no metric shows it, the reason in one sentence.
pub fn parts(strategy: &Strategy, subject: &Subject, window: Window) -> Result<Vec<Part>, String> {
    let of = Of { strategy, range: Duration::from_secs(u64::from(window.seconds())) };
    match subject {
        Subject::Instance { reading } => of.instance(*reading).map(|part| vec![part]),
        Subject::Namespaces { namespaces, reading } => of.namespaces(namespaces, *reading),
        Subject::Layer { layer, reading } => of.layer(layer, *reading).map(|part| vec![part]),
        Subject::Tenants { .. } => Err("the application's metrics have no label for the tenant".to_owned()),
        Subject::Nodes { .. } => {
            Err("redis_exporter names servers by labels of its own, which are not ours: write it as `promql`"
                .to_owned())
        }
        Subject::Signal { signal } => match strategy.signal(signal) {
            Some(signal) => Ok(vec![plain(read(&signal.promql))]),
            None => Err(format!("the strategy has no signal {signal:?}")),
        },
        Subject::Reachable => {
            let up = Expr::Instant(metric("redis_up"));
            Ok(vec![plain(Expr::Aggregate(crate::promql::Aggregation::Min, None, Box::new(up)))])
        }
        Subject::Promql { expr } => Ok(vec![plain(read(expr))]),
        other => Err(format!("this version does not know how to write {other:?}")),
    }
}

/// An expression as a tree, or as text where only a server understands it.
#[must_use]
pub fn read(promql: &str) -> Expr {
    parse(promql).unwrap_or_else(|_| Expr::Foreign(promql.trim().to_owned()))
}

fn plain(value: Expr) -> Part {
    Part { labels: AlertLabels::new(), value, lookups: None }
}

fn metric(name: &str) -> Selector {
    Selector { name: name.to_owned(), matchers: Vec::new() }
}

/// The application's series of one layer, all of them or some namespace's.
#[derive(Clone, Default)]
struct Series {
    layer: Option<Matcher>,
    namespace: Option<Matcher>,
}

struct Of<'a> {
    strategy: &'a Strategy,
    range: Duration,
}

impl Of<'_> {
    fn metrics(&self) -> Result<&MetricNames, String> {
        self.strategy.metrics.as_ref().ok_or_else(|| {
            "the strategy does not say how the application names its metrics: add [metrics]".to_owned()
        })
    }

    fn redis(&self, namespace: Option<Matcher>) -> Result<Series, String> {
        let metrics = self.metrics()?;
        let layer = metrics.layer_label.as_ref().zip(metrics.redis_layer.as_ref());
        Ok(Series { layer: layer.map(|(label, value)| Matcher::equal(label, value)), namespace })
    }

    fn instance(&self, reading: R) -> Result<Part, String> {
        if let Some(value) = self.exporter(reading) {
            return Ok(Part {
                lookups: self.redis(None).and_then(|series| self.lookups(&series)).ok(),
                ..plain(value)
            });
        }
        self.application(&self.redis(None)?, reading, "the whole cache")
    }

    fn namespaces(&self, wanted: &[String], reading: R) -> Result<Vec<Part>, String> {
        let namespaces: Vec<&Namespace> = if wanted.is_empty() {
            self.strategy.namespaces.iter().collect()
        } else {
            wanted.iter().filter_map(|name| self.strategy.namespace(name)).collect()
        };
        let label = self.metrics()?.namespace_label.clone().ok_or_else(|| {
            "the application's metrics have no label for the namespace: add metrics.namespace_label"
                .to_owned()
        })?;
        let part = |namespace: &Namespace| {
            let matcher = namespace_matcher(&label, namespace);
            let part = self.application(&self.redis(Some(matcher))?, reading, "a namespace")?;
            Ok(Part { labels: AlertLabels::from([(NAMESPACE.to_owned(), namespace.name.clone())]), ..part })
        };
        namespaces.into_iter().map(part).collect()
    }

    fn layer(&self, name: &str, reading: R) -> Result<Part, String> {
        let metrics = self.metrics()?;
        let label = metrics.layer_label.clone();
        let layer = self.strategy.layers.iter().find(|layer| layer.name == name);
        let redis =
            |layer: &CacheLayer| metrics.redis_layer.clone().filter(|_| layer.kind == LayerKind::Redis);
        let value = layer.and_then(|layer| layer.metric_label.clone().or_else(|| redis(layer)));
        let (Some(label), Some(value)) = (label, value) else {
            return Err(format!("the application's metrics do not count the layer {name:?}"));
        };
        let series = Series { layer: Some(Matcher::equal(label, value)), namespace: None };
        let part = self.application(&series, reading, "a layer")?;
        Ok(Part { labels: AlertLabels::from([(LAYER.to_owned(), name.to_owned())]), ..part })
    }

    /// Figures of the whole server, as redis_exporter shows them.
    fn exporter(&self, reading: R) -> Option<Expr> {
        let level = |name: &str| Expr::Instant(metric(name)).sum();
        let rate = |name: &str| Expr::rate(metric(name), self.range).sum();
        Some(match reading {
            R::MemoryBytes => level("redis_memory_used_bytes"),
            // Where no maxmemory is set it is 0, and the machine's memory is the limit.
            R::MemoryRatio => level("redis_memory_used_bytes").with(
                Operator::Divide,
                level("redis_memory_max_bytes")
                    .with(Operator::Above, Expr::Number(0.0))
                    .with(Operator::Or, level("redis_total_system_memory_bytes")),
            ),
            R::Keys => level("redis_db_keys"),
            R::ConnectedClients => level("redis_connected_clients"),
            R::CommandsPerSecond => rate("redis_commands_processed_total"),
            R::ExpirationsPerSecond => rate("redis_expired_keys_total"),
            R::EvictionsPerSecond => rate("redis_evicted_keys_total"),
            R::EvictionRatio => rate("redis_evicted_keys_total").with(
                Operator::Divide,
                rate("redis_keyspace_hits_total").with(Operator::Add, rate("redis_keyspace_misses_total")),
            ),
            _ => return None,
        })
    }

    /// Figures that the application counts itself.
    fn application(&self, series: &Series, reading: R, whose: &str) -> Result<Part, String> {
        let metrics = self.metrics()?;
        let hits = || self.counter(&metrics.hits, series);
        let misses = || self.counter(&metrics.misses, series);
        let value = match reading {
            R::HitRate => hits().with(Operator::Divide, hits().with(Operator::Add, misses())),
            R::LookupsPerSecond => hits().with(Operator::Add, misses()),
            R::MissesPerSecond => misses(),
            R::LatencyP50Seconds => self.quantile(series, 0.5)?,
            R::LatencyP95Seconds => self.quantile(series, 0.95)?,
            R::LatencyP99Seconds => self.quantile(series, 0.99)?,
            R::LatencyMeanSeconds => {
                let (sum, count) =
                    (self.latency(series, "_sum")?.sum(), self.latency(series, "_count")?.sum());
                self.in_seconds(sum.with(Operator::Divide, count))
            }
            other => {
                let title = other.spec().title.to_lowercase();
                return Err(format!(
                    "no metric shows the {title} of {whose}: it is a figure of Cachescope's own"
                ));
            }
        };
        Ok(Part { labels: AlertLabels::new(), value, lookups: Some(self.lookups(series)?) })
    }

    /// Lookups within the window.
    fn lookups(&self, series: &Series) -> Result<Expr, String> {
        let metrics = self.metrics()?;
        let (hits, misses) = (self.counter(&metrics.hits, series), self.counter(&metrics.misses, series));
        Ok(hits.with(Operator::Add, misses).with(Operator::Multiply, Expr::Number(self.range.as_secs_f64())))
    }

    fn counter(&self, name: &str, series: &Series) -> Expr {
        Expr::rate(self.selector(name, series, None), self.range).sum()
    }

    fn selector(&self, name: &str, series: &Series, operation: Option<Matcher>) -> Selector {
        let matchers = self.strategy.metrics.iter().flat_map(|metrics| &metrics.matchers);
        let own = matchers.map(|(label, value)| Matcher::equal(label, value));
        let parts = [series.layer.clone(), series.namespace.clone(), operation];
        Selector { name: name.to_owned(), matchers: own.chain(parts.into_iter().flatten()).collect() }
    }

    fn latency(&self, series: &Series, suffix: &str) -> Result<Expr, String> {
        let metrics = self.metrics()?;
        let base = metrics.latency.as_ref().ok_or_else(|| {
            "the strategy does not name the application's latency histogram: add metrics.latency".to_owned()
        })?;
        let operation = metrics.read_operation.as_ref().map(|(label, value)| Matcher::equal(label, value));
        Ok(Expr::rate(self.selector(&format!("{base}{suffix}"), series, operation), self.range))
    }

    fn quantile(&self, series: &Series, quantile: f64) -> Result<Expr, String> {
        let buckets = self.latency(series, "_bucket")?.sum_by(&["le"]);
        Ok(self.in_seconds(Expr::Quantile(quantile, Box::new(buckets))))
    }

    fn in_seconds(&self, value: Expr) -> Expr {
        let unit = self.strategy.metrics.as_ref().map_or(1.0, |metrics| metrics.latency_unit_seconds);
        match unit {
            1.0 => value,
            unit => value.with(Operator::Divide, Expr::Number((1.0 / unit).round())),
        }
    }
}

/// Under which labels the application counts a namespace.
fn namespace_matcher(label: &str, namespace: &Namespace) -> Matcher {
    match namespace.metric_labels.as_slice() {
        [] => Matcher::equal(label, &namespace.name),
        [one] => Matcher::equal(label, one),
        several => {
            let values: Vec<String> = several.iter().map(|value| regex::escape(value)).collect();
            Matcher { label: label.to_owned(), kind: MatchKind::Matches, value: values.join("|") }
        }
    }
}
