//! A strategy as the page shows it.

use cachescope_model::strategy::{CacheLayer, HttpCaching, LayerKind, SizingEntry, Strategy};

use crate::wire::{HttpCachingView, LayerTtlView, LayerView, SizingLine, StrategyDocument};

/// What the strategy says; `None` where a deployment has none, which shows as one without a name.
pub(crate) fn of(strategy: &Strategy) -> Option<StrategyDocument> {
    if strategy.name.is_empty() && strategy.namespaces.is_empty() {
        return None;
    }
    let overhead = strategy.sizing.as_ref().map_or(1.0, |sizing| sizing.overhead.max(1.0));
    Some(StrategyDocument {
        name: strategy.name.clone(),
        title: strategy.title.clone(),
        summary: strategy.summary.clone(),
        layers: strategy.layers.iter().map(layer).collect(),
        http: strategy.http.iter().map(http).collect(),
        sizing: strategy
            .sizing
            .iter()
            .flat_map(|sizing| &sizing.entries)
            .map(|entry| line(strategy, entry, overhead))
            .collect(),
        sizing_bytes: strategy.sizing.as_ref().and_then(|sizing| {
            let expected = sizing.expected_bytes();
            if expected > 0.0 {
                Some(expected)
            } else {
                sizing.total_bytes.map(|total| total as f64 * overhead)
            }
        }),
        sizing_words: strategy.sizing.as_ref().map(|sizing| sizing.documented.clone()).unwrap_or_default(),
    })
}

fn layer(layer: &CacheLayer) -> LayerView {
    LayerView {
        name: layer.name.clone(),
        title: layer.title.clone(),
        is_redis: layer.kind == LayerKind::Redis,
        technology: layer.technology.clone(),
        holds: layer.holds.clone(),
        ttls: layer
            .ttls
            .iter()
            .map(|ttl| LayerTtlView { what: ttl.what.clone(), seconds: ttl.ttl.as_secs_f64() })
            .collect(),
        max_items: layer.max_items,
        metric_label: layer.metric_label.clone(),
        planned: layer.planned,
        note: layer.note.clone(),
    }
}

fn http(http: &HttpCaching) -> HttpCachingView {
    HttpCachingView {
        what: http.what.clone(),
        route: http.route.clone(),
        headers: http.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect(),
    }
}

fn line(strategy: &Strategy, entry: &SizingEntry, overhead: f64) -> SizingLine {
    SizingLine {
        what: entry.what.clone(),
        templates: entry
            .namespaces
            .iter()
            .filter_map(|name| strategy.namespace(name))
            .map(|namespace| namespace.template.as_str().to_owned())
            .collect(),
        entry_bytes: entry.entry_bytes as f64,
        count: entry.count as f64,
        bytes: entry.expected_bytes(overhead),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_strategy_shows_its_layers_and_its_sizing_by_template() {
        let mut layers = 0;
        let mut lines = 0;
        for built_in in cachescope_strategy::BUILT_IN {
            let strategy = cachescope_strategy::built_in(built_in.name).expect("a built-in strategy");
            let document = of(&strategy).expect("a strategy with a name");
            assert_eq!(document.name, built_in.name);
            assert!(document.layers.iter().filter(|layer| layer.is_redis).count() <= 1, "{}", built_in.name);
            for line in &document.sizing {
                assert!(line.bytes >= line.entry_bytes * line.count, "{}: {}", built_in.name, line.what);
                for template in &line.templates {
                    assert!(strategy.namespaces.iter().any(|known| known.template.as_str() == template));
                }
            }
            layers += document.layers.len();
            lines += document.sizing.len();
        }
        assert!(layers > 0 && lines > 0);
    }

    #[test]
    fn a_deployment_without_a_strategy_has_no_document() {
        assert_eq!(of(&Strategy::default()), None);
    }
}
