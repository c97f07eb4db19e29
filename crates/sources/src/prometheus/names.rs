//! Which series are about a cache: by a strategy's names, or by those of the documented dialects.

use std::sync::Arc;

use cachescope_model::strategy::MetricNames;

use crate::http::metrics::AcceptName;

/// Metrics of the documented dialects. Base names: histograms and summaries have their component series.
const DIALECTS: &[&str] = &[
    "cache_hits_total",
    "cache_misses_total",
    "cache_evictions_total",
    "cache_size_bytes",
    "cache_latency_seconds",
    "cache_operation_duration_seconds",
    "cache_hit_count",
    "cache_miss_count",
    "cache_latency_ms",
    "redis_error_count",
];

/// Metrics of redis_exporter that the engine reads.
const REDIS_EXPORTER: &[&str] = &[
    "redis_keyspace_hits_total",
    "redis_keyspace_misses_total",
    "redis_evicted_keys_total",
    "redis_expired_keys_total",
    "redis_memory_used_bytes",
    "redis_memory_max_bytes",
    "redis_commands_duration_seconds_total",
    "redis_commands_total",
    "redis_latency_percentiles_usec",
    "redis_key_group_count",
    "redis_key_group_memory_usage_bytes",
    "redis_db_keys",
    "redis_connected_clients",
];

/// Suffixes of a histogram's and a summary's component series.
const COMPONENTS: [&str; 4] = ["", "_bucket", "_sum", "_count"];

/// The strategy's metrics that are one series each, not a histogram's components.
fn plain(names: &MetricNames) -> impl Iterator<Item = &String> {
    let optional = [&names.evictions, &names.errors, &names.size];
    let all = [&names.hits, &names.misses].into_iter().chain(optional.into_iter().flatten());
    all.filter(|name| !name.is_empty())
}

/// The selectors of every series that the strategy's names name.
#[must_use]
pub fn selectors_for(names: &MetricNames) -> Vec<String> {
    let matchers: String =
        names.matchers.iter().map(|(label, value)| format!(",{label}={}", quoted(value))).collect();
    let mut selectors: Vec<String> =
        plain(names).map(|name| format!("{{__name__={}{matchers}}}", quoted(name))).collect();
    if let Some(latency) = names.latency.as_ref().filter(|name| !name.is_empty()) {
        let regex = format!("{}({})", regex_escaped(latency), COMPONENTS.join("|"));
        selectors.push(format!("{{__name__=~{}{matchers}}}", quoted(&regex)));
    }
    selectors
}

/// The selectors to ask with where no strategy names the metrics: one for the documented dialects, one for
/// redis_exporter.
#[must_use]
pub fn default_selectors() -> Vec<String> {
    let any_of = |names: &[&str]| names.join("|");
    vec![
        format!("{{__name__=~\"({})({})\"}}", any_of(DIALECTS), COMPONENTS.join("|")),
        format!("{{__name__=~\"{}\"}}", any_of(REDIS_EXPORTER)),
    ]
}

/// Whether a metric of a page can matter: one that the strategy names, or one of the documented dialects and
/// of redis_exporter.
#[must_use]
pub fn accepts(names: Option<&MetricNames>) -> AcceptName {
    let mut own: Vec<String> = Vec::new();
    if let Some(names) = names {
        own.extend(plain(names).chain(&names.latency).cloned());
    }
    Arc::new(move |name| {
        let base = COMPONENTS.iter().skip(1).find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        let known = |candidate: &str| {
            own.iter().any(|own| own == candidate)
                || DIALECTS.contains(&candidate)
                || REDIS_EXPORTER.contains(&candidate)
        };
        known(name) || known(base)
    })
}

/// A string of PromQL (double quotes, Go's escapes).
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Text that a regular expression (RE2) matches as it is.
fn regex_escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        if "\\.+*?()|[]{}^$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> MetricNames {
        MetricNames {
            hits: "job:hits:sum".to_owned(),
            misses: "cache_misses_total".to_owned(),
            latency: Some("cache_latency_seconds".to_owned()),
            latency_unit_seconds: 1.0,
            read_operation: None,
            layer_label: None,
            redis_layer: None,
            namespace_label: None,
            evictions: None,
            errors: Some("errors_total".to_owned()),
            size: None,
            matchers: [("job".to_owned(), "a\"b\\c\n".to_owned())].into(),
        }
    }

    #[test]
    fn a_strategys_names_become_selectors_with_its_matchers() {
        assert_eq!(
            selectors_for(&names()),
            [
                r#"{__name__="job:hits:sum",job="a\"b\\c\n"}"#,
                r#"{__name__="cache_misses_total",job="a\"b\\c\n"}"#,
                r#"{__name__="errors_total",job="a\"b\\c\n"}"#,
                r#"{__name__=~"cache_latency_seconds(|_bucket|_sum|_count)",job="a\"b\\c\n"}"#,
            ]
        );
    }

    #[test]
    fn component_series_and_known_dialects_are_accepted_and_the_rest_is_not() {
        let with_strategy = accepts(Some(&names()));
        let without = accepts(None);
        for (name, strategy, none) in [
            ("job:hits:sum", true, false),
            ("cache_latency_seconds_bucket", true, true),
            ("cache_latency_ms_count", true, true),
            ("redis_db_keys", true, true),
            ("cache_hits_total", true, true),
            ("go_goroutines", false, false),
            ("errors_total", true, false),
        ] {
            assert_eq!((with_strategy(name), without(name)), (strategy, none), "{name}");
        }
    }
}
