//! "Caching Strategy" of a task management system: sessions, entities, query results and aggregates.

use super::{Trigger, Workload};
use crate::metrics::Dialect;
use crate::namespace::{Access, HttpCaching, Namespace, Update};

const PUBLIC_API: HttpCaching =
    HttpCaching::Public { cache_control: "public, max-age=120", vary: Some("Authorization") };

pub(super) fn workload() -> Workload {
    Workload {
        strategy: "task-management".to_owned(),
        dialect: Dialect::CacheLayerEntityType,
        namespaces: vec![
            Namespace::new("session", "session:{token}")
                .keys(1, 2_000)
                .traffic(240.0, 0.8)
                .values(2_000, 900)
                .access(Access::Refreshed)
                .updates(0.5, Update::Invalidate)
                .costs(3)
                .prefilled(1_500),
            Namespace::new("user", "entity:user:{userId}")
                .keys(1, 1_000)
                .traffic(70.0, 1.0)
                .batch_of(2)
                .values(5_000, 300)
                .updates(0.5, Update::Invalidate)
                .prefilled(450),
            Namespace::new("project", "entity:project:{projectId}")
                .keys(1, 500)
                .traffic(110.0, 0.9)
                .values(10_000, 300)
                .updates(0.5, Update::Invalidate)
                .warmed(500),
            Namespace::new("project-list", "entity:project:list:org:{orgId}:{page}")
                .keys(1, 120)
                .traffic(25.0, 0.8)
                .values(8_000, 300)
                .costs(10),
            Namespace::new("task", "entity:task:{taskId}")
                .keys(1, 2_000)
                .traffic(120.0, 1.0)
                .values(2_000, 300)
                .updates(1.0, Update::Invalidate)
                .prefilled(600),
            Namespace::new("organization", "entity:organization:{orgId}")
                .keys(1, 100)
                .traffic(60.0, 0.8)
                .values(3_000, 600)
                .updates(0.1, Update::Invalidate)
                .warmed(100),
            // 50 kB in the document's sizing; a tenth here.
            Namespace::new("query", "query:{hash}")
                .keys(1, 500)
                .traffic(120.0, 1.0)
                .values(5_000, 60)
                .updates(1.0, Update::Invalidate)
                .costs(10),
            Namespace::new("notification-count", "notification-count:{userId}")
                .keys(1, 400)
                .traffic(80.0, 1.1)
                .values(20, 30)
                .updates(0.5, Update::Invalidate)
                .costs(2),
            Namespace::new("project-stats", "aggregate:project:{projectId}:stats")
                .keys(1, 200)
                .traffic(50.0, 0.9)
                .values(1_000, 300)
                .updates(0.5, Update::Invalidate)
                .costs(20)
                .warmed(50),
            Namespace::new("user-stats", "aggregate:user:{userId}:stats")
                .keys(1, 200)
                .traffic(30.0, 0.9)
                .values(1_000, 300)
                .costs(20),
            Namespace::new("feature-flags", "memory:feature-flags:{flag}")
                .one_of("flag", &["new_ui", "ai_suggestions", "kanban", "exports"])
                .traffic(60.0, 0.5)
                .values(100, 300)
                .access(Access::MemoryOnly)
                .http(PUBLIC_API)
                .costs(1),
        ],
        triggers: vec![
            Trigger {
                event: "task-created",
                patterns: &["query:{hash}", "aggregate:project:{id}:stats"],
                per_second: 0.5,
            },
            Trigger {
                event: "task-updated",
                patterns: &["entity:task:{id}", "query:{hash}", "aggregate:project:{id}:stats"],
                per_second: 0.5,
            },
            Trigger {
                event: "task-deleted",
                patterns: &["entity:task:{id}", "query:{hash}", "aggregate:project:{id}:stats"],
                per_second: 0.1,
            },
            Trigger {
                event: "project-updated",
                patterns: &["entity:project:{id}", "entity:project:list:org:*"],
                per_second: 0.02,
            },
        ],
        max_memory_bytes: 24 << 20,
    }
}
