//! "ADR-004: Multi-Layer Caching Strategy": a SaaS platform with many tenants.
//!
//! The document's key counts and sizes (10,000 sessions of 2 kB, 100,000 answers of 5 kB, …) are scaled down
//! so that the demo fills tens of megabytes.

use super::{Trigger, Workload};
use crate::metrics::Dialect;
use crate::namespace::{Access, HttpCaching, Namespace, Update};

const TENANTS: usize = 24;

const API: HttpCaching = HttpCaching::Public {
    cache_control: "public, max-age=3600, s-maxage=3600",
    vary: Some("Authorization, Accept-Language"),
};

pub(super) fn workload() -> Workload {
    let versioned = Namespace::new("organization-versioned", "organization:{orgId}:v{version#}")
        .keys(1, 120)
        .traffic(20.0, 0.9)
        .values(6_000, 3_600)
        .access(Access::Versioned)
        .updates(0.3, Update::Version);
    Workload {
        strategy: "multi-tenant-saas".to_owned(),
        dialect: Dialect::LayerType,
        namespaces: vec![
            Namespace::new("session", "session:{sessionId}")
                .keys(1, 3_000)
                .traffic(220.0, 0.8)
                .values(2_000, 86_400)
                .access(Access::Refreshed)
                .updates(0.5, Update::Invalidate)
                .costs(3)
                .prefilled(2_800),
            Namespace::new("user", "user:{userId}")
                .keys(1, 2_500)
                .traffic(120.0, 0.9)
                .batch_of(2)
                .values(2_500, 3_600)
                .updates(1.0, Update::WriteThrough)
                .prefilled(1_900),
            Namespace::new("organization", "organization:{tenantId}:{orgId}")
                .keys(TENANTS, 25)
                .traffic(110.0, 0.9)
                .values(5_000, 3_600)
                .updates(1.0, Update::WriteThrough)
                .http(API)
                .prefilled(22),
            Namespace::new("organization-list", "organization:{tenantId}:list")
                .keys(TENANTS, 1)
                .traffic(25.0, 0.7)
                .values(4_000, 3_600)
                .updates(0.5, Update::Invalidate)
                .http(API)
                .prefilled(1),
            Namespace { version_counter: Some("organization-version".to_owned()), ..versioned },
            Namespace::new("organization-version", "version:organization:{orgId}")
                .keys(1, 120)
                .traffic(0.0, 0.0)
                .access(Access::Indirect),
            Namespace::new("permissions", "permissions:{userId}")
                .keys(1, 2_500)
                .traffic(150.0, 1.0)
                .values(1_000, 900)
                .updates(0.5, Update::Invalidate)
                .costs(5)
                .prefilled(1_000),
            Namespace::new("api-key", "api-key:{keyPrefix}")
                .keys(1, 300)
                .traffic(60.0, 1.0)
                .values(600, 3_600)
                .updates(0.1, Update::Invalidate)
                .costs(3)
                .prefilled(260),
            Namespace::new("rate-limit", "rate-limit:{tenantId}:{endpoint}")
                .keys(TENANTS, 1)
                .one_of("endpoint", &["projects", "tasks", "search", "export"])
                .traffic(60.0, 0.8)
                .values(8, 60)
                .access(Access::Counter),
            Namespace::new("llm-response", "llm-response:{hash}")
                .keys(1, 4_000)
                .traffic(35.0, 1.0)
                .values(4_000, 604_800)
                .costs(25)
                .prefilled(1_600),
            Namespace::new("analytics", "analytics:{tenantId}:realtime")
                .keys(TENANTS, 1)
                .traffic(45.0, 0.7)
                .values(20_000, 60)
                .updates(0.2, Update::Invalidate)
                .costs(20),
            Namespace::new("analytics-summary", "analytics:{tenantId}:summary")
                .keys(TENANTS, 1)
                .traffic(15.0, 0.7)
                .values(8_000, 300)
                .costs(40),
            // "Future enhancements": precomputed each night.
            Namespace::new("analytics-precomputed", "analytics:{tenantId}")
                .keys(TENANTS, 1)
                .traffic(5.0, 0.7)
                .values(15_000, 86_400)
                .costs(40)
                .warmed(1),
            // The table of time to lives names feature flags without a key; this is theirs here.
            Namespace::new("feature-flag", "feature-flag:{flag}")
                .one_of("flag", &["new-ui", "ai-search", "billing-v2", "beta-export", "dark-mode"])
                .traffic(50.0, 0.5)
                .values(200, 300)
                .updates(0.02, Update::Invalidate)
                .costs(2),
            Namespace::new("tenant", "tenant:{tenantId}")
                .keys(TENANTS, 1)
                .traffic(40.0, 0.7)
                .values(1_500, 3_600)
                .warmed(1),
        ],
        triggers: vec![
            Trigger {
                event: "organization-updated",
                patterns: &["organization:{tenant}:{id}", "organization:{tenant}:list"],
                per_second: 0.1,
            },
            Trigger { event: "role-change", patterns: &["user:{id}", "permissions:{id}"], per_second: 0.1 },
            Trigger { event: "logout", patterns: &["session:{id}"], per_second: 0.0 },
            Trigger { event: "key-rotation", patterns: &["api-key:{id}"], per_second: 0.0 },
            Trigger { event: "flag-change", patterns: &["feature-flag:*"], per_second: 0.01 },
        ],
        max_memory_bytes: 48 << 20,
    }
}
