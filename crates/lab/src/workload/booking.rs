//! "SCALE-003: Application Caching Strategy": appointments, slots and catalogues of pet businesses.
//!
//! The document defines no metrics of its own. The lab gives it the `layer`/`type` dialect.

use super::{Trigger, Workload};
use crate::metrics::Dialect;
use crate::namespace::{HttpCaching, Namespace, Update, Values};

const TENANTS: usize = 40;

/// `revalidate: 300`, as the framework's route cache announces it.
const REVALIDATED: HttpCaching =
    HttpCaching::Public { cache_control: "s-maxage=300, stale-while-revalidate", vary: None };

pub(super) fn workload() -> Workload {
    let days: Vec<String> = (1..=14).map(|day| format!("2026-01-{day:02}")).collect();
    let categories = ["food", "toys", "grooming", "pharmacy"];
    let dates = || Values::OneOf(days.clone());
    Workload {
        strategy: "booking".to_owned(),
        dialect: Dialect::LayerType,
        namespaces: vec![
            Namespace::new("services", "services:{tenantId}")
                .keys(TENANTS, 1)
                .traffic(140.0, 0.8)
                .values(4_000, 3_600)
                .updates(0.1, Update::Invalidate)
                .http(REVALIDATED)
                .warmed(1),
            Namespace::new("slots", "slots:{tenantId}:{date}")
                .keys(TENANTS, days.len())
                .field("date", dates())
                .traffic(200.0, 1.0)
                .values(3_000, 300)
                .costs(10)
                .prefilled(9),
            Namespace::new("pet", "pet:{petId}")
                .keys(1, 3_000)
                .traffic(140.0, 0.9)
                .values(1_800, 900)
                .updates(0.5, Update::Invalidate)
                .prefilled(1_500),
            Namespace::new("products", "products:{tenantId}:{category}")
                .keys(TENANTS, 1)
                .one_of("category", &categories)
                .traffic(70.0, 0.9)
                .values(14_000, 1_800)
                .updates(0.2, Update::Invalidate)
                .costs(8),
            // The whole catalogue, which is what the warm-up loads.
            Namespace::new("products-all", "products:{tenantId}:all")
                .keys(TENANTS, 1)
                .traffic(40.0, 0.9)
                .values(14_000, 1_800)
                .updates(0.1, Update::Invalidate)
                .costs(8)
                .warmed(1),
            Namespace::new("staff", "staff:{tenantId}")
                .keys(TENANTS, 1)
                .traffic(60.0, 0.8)
                .values(3_000, 3_600)
                .updates(0.05, Update::Invalidate)
                .warmed(1),
            // Named only by its purge pattern, so with the default time to live of `cached`.
            Namespace::new("appointments", "appointments:{tenantId}:{rest*}")
                .keys(TENANTS, days.len())
                .field("rest", dates())
                .traffic(110.0, 0.9)
                .values(5_000, 300)
                .costs(8)
                .prefilled(9),
            Namespace::new("static", "static:{page}")
                .one_of("page", &["home", "about", "pricing", "faq", "terms", "privacy"])
                .traffic(40.0, 0.6)
                .values(16_000, 86_400)
                .http(REVALIDATED)
                .warmed(6),
        ],
        triggers: vec![Trigger {
            event: "appointment-created",
            patterns: &["appointments:{tenant}:*", "slots:{tenant}:{date}"],
            per_second: 0.5,
        }],
        max_memory_bytes: 18 << 20,
    }
}
