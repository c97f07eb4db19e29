//! `[[layer]]`, `[[http]]`, `[[client]]` and `[[view]]`: the caches on the way of a request.

use cachescope_model::duration;
use cachescope_model::strategy::{
    CacheLayer, ClientCache, HttpCaching, LayerKind, LayerTtl, MaterializedView,
};

use crate::names::Kind;
use crate::section::Section;

const KINDS: [(&str, LayerKind); 8] = [
    ("browser", LayerKind::Browser),
    ("client", LayerKind::Client),
    ("cdn", LayerKind::Cdn),
    ("route", LayerKind::Route),
    ("memory", LayerKind::Memory),
    ("redis", LayerKind::Redis),
    ("database", LayerKind::Database),
    ("source", LayerKind::Source),
];

/// Reads one `[[layer]]`; `None` where its kind is not known.
pub(crate) fn layer(mut section: Section<'_>) -> Option<CacheLayer> {
    let name = section.named(Kind::Layer);
    if !section.has("kind") {
        section.missing("kind", "\"redis\"");
    }
    let kind = section.word("kind", &KINDS);
    let layer = CacheLayer {
        title: section.text("title").unwrap_or_else(|| name.clone()),
        name,
        kind: kind.unwrap_or(LayerKind::Redis),
        technology: section.text_or_empty("technology"),
        holds: section.texts("holds"),
        ttls: ttls(&section),
        max_items: section.integer("max_items"),
        settings: section.pairs("settings"),
        metric_label: section.text("metric_label"),
        planned: section.flag("planned"),
        note: section.text_or_empty("note"),
    };
    section.finish();
    kind.map(|_| layer)
}

/// `ttl` for a single time, `ttls = { API = "1h" }` for several.
fn ttls(section: &Section<'_>) -> Vec<LayerTtl> {
    let mut ttls: Vec<LayerTtl> =
        section.duration("ttl").map(|ttl| LayerTtl { what: String::new(), ttl }).into_iter().collect();
    for (what, text) in section.pairs("ttls") {
        match duration::parse(&text) {
            Ok(ttl) => ttls.push(LayerTtl { what, ttl }),
            Err(error) => section.error("ttls", format!("`ttls`: {what}: {error}")),
        }
    }
    ttls
}

/// Reads one `[[http]]`.
pub(crate) fn http(mut section: Section<'_>) -> HttpCaching {
    let name = section.named(Kind::Http);
    let http = HttpCaching {
        what: section.required_text("what", "\"static assets\""),
        name,
        route: section.text_or_empty("route"),
        layers: section.references("layers", Kind::Layer),
        headers: section.pairs("headers"),
        min_ttl: section.duration("min_ttl"),
        default_ttl: section.duration("default_ttl"),
        max_ttl: section.duration("max_ttl"),
        compress: section.flag("compress"),
        forward_headers: section.texts("forward_headers"),
        invalidated_on: section.texts("invalidated_on"),
        note: section.text_or_empty("note"),
    };
    section.finish();
    http
}

/// Reads one `[[client]]`. `stale_time = "forever"` is a result that stays fresh.
pub(crate) fn client(mut section: Section<'_>) -> ClientCache {
    let name = section.named(Kind::Client);
    if !section.has("stale_time") {
        section.missing("stale_time", "\"5m\", or \"forever\"");
    }
    let stale_time = section.read("stale_time", |text| match text {
        "forever" => Ok(None),
        other => duration::parse(other).map(Some).map_err(|error| format!("{error}, or \"forever\"")),
    });
    let client = ClientCache {
        what: section.required_text("what", "\"lists of users\""),
        name,
        stale_time: stale_time.flatten(),
        cache_time: section.duration("cache_time"),
        options: section.pairs("options"),
        invalidated_on: section.texts("invalidated_on"),
        note: section.text_or_empty("note"),
    };
    section.finish();
    client
}

/// Reads one `[[view]]`.
pub(crate) fn view(mut section: Section<'_>) -> MaterializedView {
    let name = section.named(Kind::View);
    if !section.has("refresh_every") {
        section.missing("refresh_every", "\"5m\"");
    }
    let view = MaterializedView {
        name,
        from: section.text_or_empty("from"),
        refresh_every: section.duration("refresh_every").unwrap_or_default(),
        refresh: section.text_or_empty("refresh"),
        planned: section.flag("planned"),
        note: section.text_or_empty("note"),
    };
    section.finish();
    view
}
