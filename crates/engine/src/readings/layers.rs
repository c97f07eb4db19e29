//! The layers that a request passes on its way to the data, by what the application counts under their labels.

use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::snapshot::PartSnapshot;
use cachescope_model::strategy::{CacheLayer, LayerKind};

use super::application::{self, Figures};
use super::latency;
use super::reasons::Reason;
use super::view::View;
use crate::applications::Carrier;
use crate::engine::Engine;

const NO_LATENCY: &str =
    "the application does not time this layer: give its latency histogram the layer's label";

/// Documented layers in the document's order, then those that only labels name.
pub(super) fn layers(engine: &Engine, view: &View<'_>) -> Vec<PartSnapshot> {
    let apps = &engine.applications;
    let documented = engine.strategy.layers.iter().map(|layer| PartSnapshot {
        name: layer.name.clone(),
        title: layer.title.clone(),
        readings: documented(engine, view, layer),
    });
    let known = |label: &str| engine.strategy.layers.iter().any(|layer| label_of(layer) == label);
    let found = apps.layers.iter().filter(|(label, _)| !known(label)).map(|(label, carrier)| {
        let figures = application::of_layer(view, carrier);
        PartSnapshot {
            name: label.clone(),
            title: label.clone(),
            readings: counted(view, &figures, [carrier]),
        }
    });
    documented.chain(found).collect()
}

/// What the application calls a layer.
fn label_of(layer: &CacheLayer) -> &str {
    layer.metric_label.as_deref().unwrap_or(&layer.name)
}

fn documented(engine: &Engine, view: &View<'_>, layer: &CacheLayer) -> Readings {
    let apps = &engine.applications;
    if let Some(carrier) = apps.layers.get(label_of(layer)) {
        return counted(view, &application::of_layer(view, carrier), [carrier]);
    }
    if layer.kind == LayerKind::Redis {
        return counted(view, &application::of_all(engine, view), &apps.carriers);
    }
    let why = if layer.planned {
        "the document plans it: there is nothing to count yet".into()
    } else if layer.metric_label.is_none() {
        "the application's metrics do not count it: name its label in the strategy (metric_label)".into()
    } else if view.main_way.is_some() {
        format!("the application's metrics have no series of the layer {:?} yet", label_of(layer)).into()
    } else {
        view.reasons.metrics.clone()
    };
    counted(view, &Err(why), [])
}

fn counted<'c>(
    view: &View<'_>,
    figures: &Result<Figures, Reason>,
    carriers: impl IntoIterator<Item = &'c Carrier>,
) -> Readings {
    let mut readings = Readings::new();
    let of = |of: fn(&Figures) -> Reading| match figures {
        Ok(figures) => of(figures),
        Err(why) => Reading::unavailable(why.clone()),
    };
    readings.insert(R::HitRate, of(Figures::hit_rate));
    readings.insert(R::LookupsPerSecond, of(|figures| figures.rate(figures.lookups())));
    readings.insert(R::MissesPerSecond, of(|figures| figures.rate(figures.misses)));
    latency::readings(view, carriers.into_iter(), figures, NO_LATENCY, &mut readings);
    readings
}
