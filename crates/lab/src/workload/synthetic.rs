//! As many namespaces as a test of scale wants.

use super::Workload;
use crate::metrics::Dialect;
use crate::namespace::Namespace;

pub(super) fn workload(count: usize, keys: usize, requests_per_second: f64) -> Workload {
    Workload {
        strategy: "synthetic".to_owned(),
        dialect: Dialect::LayerType,
        namespaces: namespaces("t", count, keys, requests_per_second),
        triggers: Vec::new(),
        max_memory_bytes: 256 << 20,
    }
}

/// `count` namespaces that share the traffic; each has its own share of it, from half to one and a half of
/// the mean, so that a table of them has an order.
pub(super) fn namespaces(
    prefix: &str,
    count: usize,
    keys: usize,
    requests_per_second: f64,
) -> Vec<Namespace> {
    let mean = requests_per_second / count.max(1) as f64;
    (0..count)
        .map(|number| {
            let share = 0.5 + number as f64 / count.max(1) as f64;
            let label = format!("{prefix}{number:04}");
            let template = format!("{label}:{{id}}");
            Namespace::new(&label, &template)
                .keys(1, keys)
                .traffic(mean * share, 0.8)
                .values(200, 3_600)
                .costs(1)
        })
        .collect()
}
