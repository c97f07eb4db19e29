//! The small tables: document, endpoints, health, versions, tenants, bypass, stampede.

use cachescope_model::strategy::{
    Bypass, Document, Endpoint, HealthCheck, Hotspot, NeverCache, RedisLock, Stampede, TenantIsolation,
    Versioning,
};

use crate::names::Kind;
use crate::section::Section;

pub(crate) fn document(section: Section<'_>) -> Document {
    let document = Document {
        status: section.text_or_empty("status"),
        version: section.text_or_empty("version"),
        owner: section.text_or_empty("owner"),
        updated: section.text_or_empty("updated"),
        review: section.text_or_empty("review"),
    };
    section.finish();
    document
}

pub(crate) fn hotspot(section: Section<'_>) -> Hotspot {
    let hotspot = Hotspot {
        name: section.required_text("name", "\"Admin dashboard\""),
        kind: section.text_or_empty("kind"),
        reason: section.text_or_empty("reason"),
        current: section.text_or_empty("current"),
        namespaces: section.references("namespaces", Kind::Namespace),
    };
    section.finish();
    hotspot
}

pub(crate) fn endpoint(mut section: Section<'_>) -> Endpoint {
    let endpoint = Endpoint {
        name: section.named(Kind::Endpoint),
        method: section.required_text("method", "\"POST\""),
        path: section.required_text("path", "\"/api/admin/cache/purge?key={pattern}\""),
        protected: section.flag("protected"),
        what: section.text_or_empty("what"),
    };
    section.finish();
    endpoint
}

pub(crate) fn health(section: Section<'_>) -> HealthCheck {
    let health = HealthCheck {
        path: section.required_text("path", "\"/health/cache\""),
        healthy_above: section.ratio("healthy_above"),
        otherwise: section.text_or_empty("otherwise"),
        on_error: section.text_or_empty("on_error"),
        fields: section.texts("fields"),
    };
    section.finish();
    health
}

pub(crate) fn versioning(section: Section<'_>) -> Versioning {
    let versioning = Versioning {
        pattern: section.required_text("pattern", "\"{resource}:{identifier}:v{version}\""),
        grace: section.duration("grace"),
        counter: section.template("counter"),
        namespaces: section.references("namespaces", Kind::Namespace),
        steps: section.texts("steps"),
        purposes: section.texts("purposes"),
    };
    section.finish();
    versioning
}

pub(crate) fn tenant_isolation(section: Section<'_>) -> TenantIsolation {
    let isolation = TenantIsolation {
        field: section.required_text("field", "\"tenantId\""),
        exempt: section.references("exempt", Kind::Namespace),
        forbidden: section.templates("forbidden"),
        documented: section.text_or_empty("documented"),
    };
    section.finish();
    isolation
}

pub(crate) fn bypass(mut section: Section<'_>) -> Bypass {
    let bypass = Bypass {
        name: section.named(Kind::Bypass),
        when: section.required_text("when", "\"exports\""),
        query: section.text("query"),
    };
    section.finish();
    bypass
}

pub(crate) fn never_cache(section: Section<'_>) -> NeverCache {
    let never = NeverCache {
        what: section.required_text("what", "\"stock at checkout\""),
        instead: section.text_or_empty("instead"),
    };
    section.finish();
    never
}

pub(crate) fn stampede(section: Section<'_>) -> Stampede {
    let words = [("off", RedisLock::Off), ("optional", RedisLock::Optional), ("always", RedisLock::Always)];
    let lock = section.word("redis_lock", &words);
    let stampede = Stampede {
        single_flight: section.flag("single_flight"),
        redis_lock: lock.unwrap_or_default(),
        note: section.text_or_empty("note"),
    };
    section.finish();
    stampede
}
