//! "Hot Rod AN Caching Strategy": the tiles, figures and alerts of one analytics dashboard.
//!
//! The document names figures to track and no metric names. The lab gives it the
//! `cache_layer`/`entity_type` dialect.

use super::{Trigger, Workload};
use crate::metrics::Dialect;
use crate::namespace::{HttpCaching, Namespace};

const HOT: u64 = 300;
const WARM: u64 = 900;
const COLD: u64 = 3_600;

const EDGE: HttpCaching =
    HttpCaching::Public { cache_control: "public, max-age=300, s-maxage=600", vary: None };

pub(super) fn workload() -> Workload {
    let single = |label: &str, template: &str, rate: f64, bytes: usize, ttl: u64| {
        Namespace::new(label, template).traffic(rate, 0.0).values(bytes, ttl).costs(30)
    };
    let several =
        |label: &str, resource: &str, field: &str, all: &[&str], rate: f64, bytes: usize, ttl: u64| {
            let template = format!("dashboard:{resource}:{{{field}}}:v{{version#}}");
            Namespace::new(label, &template)
                .one_of(field, all)
                .traffic(rate, 0.7)
                .values(bytes, ttl)
                .costs(50)
        };
    Workload {
        strategy: "hot-rod-analytics".to_owned(),
        dialect: Dialect::CacheLayerEntityType,
        namespaces: vec![
            single("sales-pulse", "dashboard:tile:sales_pulse:v{version#}", 60.0, 2_000, HOT).warmed(1),
            single("inventory-heatmap", "dashboard:tile:inventory:v{version#}", 45.0, 50_000, HOT).warmed(1),
            single("fulfillment-health", "dashboard:tile:fulfillment:v{version#}", 40.0, 20_000, HOT)
                .warmed(1),
            single("cx-escalations", "dashboard:tile:cx:v{version#}", 40.0, 30_000, HOT).warmed(1),
            single("ops-metrics", "dashboard:tile:ops:v{version#}", 40.0, 10_000, HOT).warmed(1),
            single("kpi-summary", "dashboard:kpi:summary:v{version#}", 60.0, 5_000, HOT).warmed(1),
            single("growth-milestones", "dashboard:growth:milestones:v{version#}", 8.0, 4_000, COLD),
            single("ceo-time-savings", "dashboard:time_savings:v{version#}", 4.0, 3_000, COLD),
            single("critical-alerts", "dashboard:alerts:critical:v{version#}", 50.0, 4_000, HOT),
            single("all-alerts", "dashboard:alerts:all:v{version#}", 20.0, 16_000, HOT),
            several(
                "historical-trends",
                "trends",
                "view",
                &["revenue-30d", "revenue-90d", "orders-30d", "orders-90d"],
                8.0,
                100_000,
                WARM,
            )
            .http(EDGE),
            several(
                "customer-segments",
                "segments",
                "segment",
                &["new", "returning", "vip", "dormant"],
                12.0,
                20_000,
                WARM,
            )
            .http(EDGE),
            several(
                "product-performance",
                "products",
                "category",
                &["engine", "chassis", "interior", "paint", "wheels", "tools"],
                16.0,
                24_000,
                WARM,
            )
            .http(EDGE),
            several("ytd-metrics", "ytd", "metric", &["revenue", "orders", "margin"], 8.0, 6_000, COLD),
            several(
                "historical-comparisons",
                "comparisons",
                "comparison",
                &["yoy", "qoq"],
                5.0,
                12_000,
                86_400,
            ),
        ],
        triggers: vec![
            Trigger {
                event: "order-created",
                patterns: &["dashboard:tile:sales_pulse:*", "dashboard:kpi:summary:*"],
                per_second: 0.05,
            },
            Trigger {
                event: "inventory-updated",
                patterns: &["dashboard:tile:inventory:*", "dashboard:kpi:summary:*"],
                per_second: 0.03,
            },
            Trigger {
                event: "sla-breach",
                patterns: &[
                    "dashboard:tile:fulfillment:*",
                    "dashboard:tile:cx:*",
                    "dashboard:alerts:critical:*",
                ],
                per_second: 0.02,
            },
            Trigger { event: "shop-activated", patterns: &["dashboard:tile:ops:*"], per_second: 0.01 },
            Trigger {
                event: "end-of-day",
                patterns: &["dashboard:tile:*", "dashboard:kpi:*", "dashboard:alerts:*"],
                per_second: 0.0,
            },
            Trigger {
                event: "first-of-month",
                patterns: &["dashboard:ytd:*", "dashboard:growth:*", "dashboard:time_savings:*"],
                per_second: 0.0,
            },
        ],
        max_memory_bytes: 5 << 20,
    }
}
