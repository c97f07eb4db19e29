//! "Caching Strategy & Implementation": three hotspots in front of heavy aggregations.

use super::{Trigger, Workload};
use crate::metrics::Dialect;
use crate::namespace::{Access, Namespace, Update, Values};

pub(super) fn workload() -> Workload {
    let choices = |all: &[&str]| Values::OneOf(all.iter().map(|it| (*it).to_owned()).collect());
    Workload {
        strategy: "hotspot".to_owned(),
        dialect: Dialect::Hotspot,
        namespaces: vec![
            // 14 parallel queries on every load: the heaviest single key.
            Namespace::new("dashboard", "cache:dashboard:stats")
                .traffic(90.0, 0.0)
                .values(12_000, 300)
                .access(Access::Locked)
                .in_process()
                .costs(60)
                .warmed(1),
            Namespace::new("reports-revenue", "cache:reports:revenue:v{version#}")
                .traffic(40.0, 0.0)
                .values(40_000, 3_600)
                .in_process()
                .costs(90)
                .warmed(1),
            Namespace::new("reports-projects", "cache:reports:projects:v{version#}")
                .traffic(40.0, 0.0)
                .values(25_000, 600)
                .in_process()
                .costs(50)
                .warmed(1),
            // The general schema: AI generations and what else is cached by entity.
            Namespace::new("entity", "cache:{entity}:{id}:{variant}")
                .keys(1, 2_400)
                .field("entity", choices(&["generation", "company", "project"]))
                .field("variant", choices(&["full", "list"]))
                .traffic(260.0, 1.0)
                .values(6_000, 3_600)
                .updates(0.5, Update::Invalidate)
                .costs(12)
                .in_process()
                .warmed(100)
                .prefilled(1_200),
            // The document gives sessions no time to live; a day is what Auth.js does.
            Namespace::new("auth-session", "auth:session:{sessionId}")
                .keys(1, 2_500)
                .traffic(330.0, 0.8)
                .values(900, 86_400)
                .updates(0.5, Update::Invalidate)
                .costs(3)
                .prefilled(2_300),
        ],
        triggers: vec![
            Trigger {
                event: "new-invoice",
                patterns: &["cache:dashboard:stats", "cache:reports:revenue:*"],
                per_second: 0.01,
            },
            Trigger { event: "new-ticket", patterns: &["cache:dashboard:stats"], per_second: 0.01 },
            Trigger { event: "user-role-change", patterns: &["auth:session:*"], per_second: 0.0 },
        ],
        max_memory_bytes: 24 << 20,
    }
}
