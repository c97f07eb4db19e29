//! Recognising an application's cache metrics by name and label.

use cachescope_model::metrics::Sample;
use cachescope_model::strategy::MetricNames;
use hashbrown::HashMap;

use crate::server::ExporterMetric;

/// What a series counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    Hits,
    Misses,
    Evictions,
    /// Cumulative count of reads that took at most this many seconds.
    Bucket(f64),
    /// Sum of durations; one unit is this many seconds.
    Sum(f64),
    /// Number of timed reads.
    Timed,
    /// A quantile that the application computed, and its unit in seconds.
    Quantile(f64, f64),
    /// A redis_exporter's view of the server.
    Exporter(ExporterMetric),
}

/// A series that matters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recognised<'a> {
    pub(crate) role: Role,
    /// The layer, where it is another than Redis.
    pub(crate) other_layer: Option<&'a str>,
    /// Under which label the application counts the namespace.
    pub(crate) label: Option<&'a str>,
}

/// Labels that say where a series comes from or what it measures, never which namespace.
const NOT_A_NAMESPACE: [&str; 26] = [
    "instance",
    "job",
    "le",
    "quantile",
    "operation",
    "op",
    "method",
    "command",
    "reason",
    "status",
    "result",
    "pod",
    "namespace",
    "node",
    "host",
    "hostname",
    "service",
    "endpoint",
    "container",
    "cluster",
    "region",
    "zone",
    "env",
    "environment",
    "version",
    "app",
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    Hits,
    Misses,
    Evictions,
    Buckets,
    Sum,
    Timed,
    Quantiles,
}

#[derive(Clone, Debug, Default)]
struct Dialect {
    unit_seconds: f64,
    layer_labels: Vec<String>,
    redis_layer: Option<String>,
    namespace_labels: Vec<String>,
    /// Whether any one label that is none of the above names the namespace.
    any_label: bool,
    read_operation: Option<(String, String)>,
    matchers: Vec<(String, String)>,
}

/// All names that matter, by metric name.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    metrics: HashMap<String, (Metric, usize)>,
    dialects: Vec<Dialect>,
}

impl Names {
    /// The strategy's names; without a strategy the documented dialects.
    pub(crate) fn new(strategy: Option<&MetricNames>) -> Self {
        let mut names = Self::none();
        match strategy {
            Some(own) => names.strategy(own),
            None => names.documented(),
        }
        names
    }

    /// No names at all.
    pub(crate) fn none() -> Self {
        Self { metrics: HashMap::new(), dialects: Vec::new() }
    }

    fn strategy(&mut self, own: &MetricNames) {
        let dialect = self.dialect(Dialect {
            unit_seconds: own.latency_unit_seconds,
            layer_labels: own.layer_label.iter().cloned().collect(),
            redis_layer: own.redis_layer.clone(),
            namespace_labels: own.namespace_label.iter().cloned().collect(),
            any_label: false,
            read_operation: own.read_operation.clone(),
            matchers: own.matchers.iter().map(|(label, value)| (label.clone(), value.clone())).collect(),
        });
        self.counter(&own.hits, Metric::Hits, dialect);
        self.counter(&own.misses, Metric::Misses, dialect);
        if let Some(evictions) = &own.evictions {
            self.counter(evictions, Metric::Evictions, dialect);
        }
        if let Some(latency) = &own.latency {
            self.latency(latency, dialect);
        }
    }

    fn documented(&mut self) {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let common = Dialect {
            unit_seconds: 1.0,
            layer_labels: texts(&["layer", "cache_layer"]),
            namespace_labels: texts(&["type", "entity_type", "hotspot"]),
            any_label: true,
            read_operation: Some(("operation".to_owned(), "get".to_owned())),
            ..Dialect::default()
        };
        let seconds = self.dialect(common.clone());
        let millis = self.dialect(Dialect { unit_seconds: 0.001, ..common });
        for (name, metric) in [
            ("cache_hits_total", Metric::Hits),
            ("cache_misses_total", Metric::Misses),
            ("cache_evictions_total", Metric::Evictions),
            ("cache_hit_count", Metric::Hits),
            ("cache_miss_count", Metric::Misses),
        ] {
            self.counter(name, metric, seconds);
        }
        self.latency("cache_latency_seconds", seconds);
        self.latency("cache_operation_duration_seconds", seconds);
        self.latency("cache_latency_ms", millis);
    }

    fn dialect(&mut self, dialect: Dialect) -> usize {
        self.dialects.push(dialect);
        self.dialects.len() - 1
    }

    /// A counter by its name, with and without the suffix that OpenMetrics demands.
    fn counter(&mut self, name: &str, metric: Metric, dialect: usize) {
        let bare = name.strip_suffix("_total").unwrap_or(name);
        for name in [name.to_owned(), bare.to_owned(), format!("{bare}_total")] {
            self.metrics.entry(name).or_insert((metric, dialect));
        }
    }

    fn latency(&mut self, base: &str, dialect: usize) {
        for (suffix, metric) in [
            ("_bucket", Metric::Buckets),
            ("_sum", Metric::Sum),
            ("_count", Metric::Timed),
            ("", Metric::Quantiles),
        ] {
            self.metrics.insert(format!("{base}{suffix}"), (metric, dialect));
        }
    }

    /// What a sample's series counts; `None` where it does not matter here.
    pub(crate) fn recognise<'a>(&self, sample: &'a Sample) -> Option<Recognised<'a>> {
        let Some((metric, dialect)) = self.metrics.get(sample.name()).copied() else {
            let metric = ExporterMetric::named(sample.name())?;
            return Some(Recognised { role: Role::Exporter(metric), other_layer: None, label: None });
        };
        let dialect = &self.dialects[dialect];
        if !dialect.matchers.iter().all(|(label, value)| sample.label(label) == Some(value)) {
            return None;
        }
        let unit = dialect.unit_seconds;
        let number = |label: &str| sample.label(label).and_then(|text| text.parse::<f64>().ok());
        let role = match metric {
            Metric::Hits => Role::Hits,
            Metric::Misses => Role::Misses,
            Metric::Evictions => Role::Evictions,
            Metric::Buckets => Role::Bucket(number("le").filter(|bound| !bound.is_nan())? * unit),
            Metric::Sum => Role::Sum(unit),
            Metric::Timed => Role::Timed,
            Metric::Quantiles => Role::Quantile(number("quantile")?, unit),
        };
        let timed = !matches!(role, Role::Hits | Role::Misses | Role::Evictions);
        if timed
            && let Some((label, value)) = &dialect.read_operation
            && sample.label(label).is_some_and(|operation| !operation.eq_ignore_ascii_case(value))
        {
            return None;
        }
        let layer = dialect.layer_labels.iter().find_map(|label| sample.label(label));
        let redis = dialect.redis_layer.as_deref().unwrap_or("redis");
        let other_layer = layer.filter(|layer| !layer.eq_ignore_ascii_case(redis));
        Some(Recognised { role, other_layer, label: dialect.namespace(sample) })
    }
}

impl Dialect {
    fn namespace<'a>(&self, sample: &'a Sample) -> Option<&'a str> {
        let named = self.namespace_labels.iter().find_map(|label| sample.label(label));
        if named.is_some() || !self.any_label {
            return named.filter(|value| !value.is_empty());
        }
        let mut others = sample.labels().filter(|(label, _)| {
            !NOT_A_NAMESPACE.contains(label)
                && !label.starts_with("__")
                && !label.starts_with("exported_")
                && !self.layer_labels.iter().any(|layer| layer == label)
        });
        match (others.next(), others.next()) {
            (Some((_, value)), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use cachescope_model::time::Timestamp;

    use super::*;

    fn sample(text: &str) -> Sample {
        let (name, labels) = text.split_once('{').unwrap_or((text, "}"));
        let pairs = labels.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
        let labels: Vec<_> = pairs.map(|(label, value)| (label.to_owned(), value.to_owned())).collect();
        Sample::new(name, &labels, 1.0, Timestamp(0))
    }

    #[test]
    fn the_documented_dialects_are_recognised_by_name_and_label() {
        let names = Names::new(None);
        for (text, role, layer, label) in [
            ("cache_hits_total{layer=redis,type=organization}", Role::Hits, None, Some("organization")),
            ("cache_misses_total{cache_layer=redis,entity_type=user}", Role::Misses, None, Some("user")),
            ("cache_hit_count{hotspot=dashboard}", Role::Hits, None, Some("dashboard")),
            ("cache_miss_count_total{hotspot=dashboard}", Role::Misses, None, Some("dashboard")),
            ("cache_hit_count{cache=x,instance=a,job=b}", Role::Hits, None, Some("x")),
            ("cache_hit_count{cache=x,other=y}", Role::Hits, None, None),
            ("cache_hits_total{layer=memory,type=a}", Role::Hits, Some("memory"), Some("a")),
            ("cache_hits_total{layer=Redis,type=a}", Role::Hits, None, Some("a")),
            ("cache_evictions_total{layer=redis,reason=maxmemory}", Role::Evictions, None, None),
            ("cache_latency_seconds_bucket{layer=redis,operation=get,le=0.5}", Role::Bucket(0.5), None, None),
            (
                "cache_operation_duration_seconds_sum{operation=get,cache_layer=redis}",
                Role::Sum(1.0),
                None,
                None,
            ),
            ("cache_latency_ms_count{hotspot=a}", Role::Timed, None, Some("a")),
            ("cache_latency_ms{hotspot=a,quantile=0.99}", Role::Quantile(0.99, 0.001), None, Some("a")),
            ("redis_keyspace_hits_total{addr=x}", Role::Exporter(ExporterMetric::Hits), None, None),
        ] {
            let sample = sample(text);
            let found = names.recognise(&sample).expect(text);
            assert_eq!(found, Recognised { role, other_layer: layer, label }, "{text}");
        }
        for text in [
            "cache_latency_seconds_bucket{operation=set,le=1}",
            "go_goroutines",
            "cache_latency_seconds_bucket",
        ] {
            assert_eq!(names.recognise(&sample(text)), None, "{text}");
        }
        let bucket = sample("cache_latency_ms_bucket{le=5}");
        let Some(Recognised { role: Role::Bucket(bound), .. }) = names.recognise(&bucket) else {
            panic!("a bucket is a bucket");
        };
        assert!((bound - 0.005).abs() < 1e-12);
    }

    #[test]
    fn a_strategys_own_names_and_matchers_decide() {
        let names = Names::new(Some(&MetricNames {
            hits: "svc_hits".to_owned(),
            misses: "svc_misses_total".to_owned(),
            latency: None,
            latency_unit_seconds: 1.0,
            read_operation: None,
            layer_label: Some("tier".to_owned()),
            redis_layer: Some("l2".to_owned()),
            namespace_label: Some("ns".to_owned()),
            evictions: None,
            errors: None,
            size: None,
            matchers: [("job".to_owned(), "api".to_owned())].into(),
        }));
        let found = |text: &str| {
            names.recognise(&sample(text)).map(|found| {
                (found.role, found.other_layer.map(str::to_owned), found.label.map(str::to_owned))
            })
        };
        assert_eq!(
            found("svc_hits_total{job=api,tier=l2,ns=a}"),
            Some((Role::Hits, None, Some("a".to_owned())))
        );
        assert_eq!(
            found("svc_misses{job=api,tier=l1,ns=a}"),
            Some((Role::Misses, Some("l1".to_owned()), Some("a".to_owned())))
        );
        assert_eq!(found("svc_hits{job=web,tier=l2,ns=a}"), None);
        assert_eq!(found("cache_hits_total{job=api}"), None);
    }
}
