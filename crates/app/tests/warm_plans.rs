//! Every warm plan of the five documents, run whole through the app's door on a service that behaves as they say; and
//! each way of choosing keys.

mod page;
mod test_host;

use std::collections::BTreeSet;
use std::time::Duration;

use cachescope_actions::plan::{Action, HowToRun};
use cachescope_actions::run_state::{RunPhase, RunState};
use cachescope_app::wire::{ActionDraft, CopyFromDraft, Reply, Request, WarmDraft, WarmKeys, WarmPlanView};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_lab::{Lab, LabOptions};
use page::{PATIENCE, Page, save};
use redis::aio::MultiplexedConnection;

/// How a documented plan is carried out from here.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    /// As it stands, but for the application's address: one request, and how many keys are there afterwards.
    OneRequest(&'static str, u64),
    /// The document leaves it to the application. With a URL for each key, those that a purge removed are loaded: at
    /// most so many of these namespaces.
    EachKey(&'static [(&'static str, usize)]),
    /// From another deployment.
    Copy,
    /// By nobody from here.
    Others,
}

/// All plans of the documents: none is left out by mistake.
const PLANS: [(&str, &[(&str, By)]); 5] = [
    ("hotspot", &[]),
    ("booking", &[("tenants", By::OneRequest("/api/cron/cache-warmup", 3))]),
    (
        "hot-rod-analytics",
        &[
            ("before-peak-hours", By::OneRequest("/cache/warm", 6)),
            (
                "next-tiles",
                By::EachKey(&[
                    ("inventory-heatmap", usize::MAX),
                    ("fulfillment-health", usize::MAX),
                    ("cx-escalations", usize::MAX),
                    ("ops-metrics", usize::MAX),
                ]),
            ),
            ("trends", By::EachKey(&[("historical-trends", usize::MAX)])),
            (
                "morning-login",
                By::EachKey(&[
                    ("sales-pulse", usize::MAX),
                    ("inventory-heatmap", usize::MAX),
                    ("fulfillment-health", usize::MAX),
                    ("cx-escalations", usize::MAX),
                    ("ops-metrics", usize::MAX),
                ]),
            ),
        ],
    ),
    (
        "multi-tenant-saas",
        &[
            ("application-start", By::EachKey(&[("tenant", 1_000)])),
            ("deployment-traffic", By::Others),
            ("deployment-copy", By::Copy),
            ("nightly-analytics", By::EachKey(&[("analytics-precomputed", usize::MAX)])),
        ],
    ),
    (
        "task-management",
        &[(
            "application-start",
            By::EachKey(&[("organization", 100), ("project", 500), ("project-stats", 50)]),
        )],
    ),
];

fn at_once() -> Option<HowToRun> {
    Some(HowToRun {
        throttle: false,
        watch_between_waves_ms: 0,
        protected_too: true,
        beyond_limits: true,
        ..HowToRun::default()
    })
}

async fn run(page: &Page, draft: WarmDraft, name: &str) -> RunState {
    let how = at_once().map(|how| HowToRun { protected_too: false, ..how });
    let previewed = page.preview(ActionDraft::Warm { warm: Box::new(draft) }, how).await;
    let state = page.run(&previewed.unwrap_or_else(|error| panic!("{name}: {}", error.message))).await;
    assert_eq!(state.phase, RunPhase::Finished, "{name}: {}", state.why);
    state
}

async fn plans(page: &Page) -> Vec<WarmPlanView> {
    let asked = page.app.handle(Request::WarmPlans { deployment: page.deployment.clone() }).await;
    let Ok(Reply::WarmPlans(plans)) = asked else { panic!("another reply: {asked:?}") };
    plans
}

async fn keys(redis: &mut MultiplexedConnection) -> BTreeSet<String> {
    let keys: BTreeSet<String> = redis::cmd("KEYS").arg("*").query_async(redis).await.expect("listed");
    keys.into_iter().filter(|key| !key.starts_with("cachescope:")).collect()
}

/// A limit on requests that nothing here comes near.
fn quickly() -> cachescope_actions::warm::WarmLimits {
    cachescope_actions::warm::WarmLimits { per_minute: 600_000, concurrency: 16, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_warm_plan_is_run_whole_or_says_who_does_it() {
    for (strategy, documented) in PLANS {
        let mut options = LabOptions::quiet(strategy);
        (options.warm, options.ttl_factor, options.instances) = (true, 1.0, 1);
        // What an instance remembers by itself would not be stored again.
        options.cache.in_process_ttl = Duration::from_millis(1);
        let lab = Lab::start(options).await.expect("a lab");
        let mut redis = lab.redis().connection().await.expect("it answers");
        let page = Page::on(&lab.redis_url(), strategy).await;
        let listed = plans(&page).await;
        let names: Vec<&str> = listed.iter().map(|plan| plan.name.as_str()).collect();
        assert_eq!(names, documented.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{strategy}");
        let base = lab.service_urls()[0].clone();
        for ((name, by), view) in documented.iter().zip(&listed) {
            let said = format!("{strategy}/{name}");
            let draft = || WarmDraft {
                plan: Some((*name).to_owned()),
                private_addresses: true,
                limits: Some(quickly()),
                ..WarmDraft::default()
            };
            match *by {
                By::OneRequest(path, least) => {
                    let () = redis::cmd("FLUSHALL").query_async(&mut redis).await.expect("emptied");
                    let draft = WarmDraft { url: Some(format!("{base}{path}")), ..draft() };
                    let state = run(&page, draft, &said).await;
                    assert_eq!(state.counts.requests, 1, "{said}");
                    let there = keys(&mut redis).await.len() as u64;
                    assert!(there >= least, "{said}: {there} keys");
                }
                By::EachKey(items) => {
                    assert!(!view.runnable && view.lacks.contains("application"), "{said}: {view:?}");
                    loads_each_key(&lab, &page, draft(), items, &said).await;
                }
                By::Copy => {
                    assert!(!view.runnable && view.lacks.contains("copy from"), "{said}: {view:?}");
                    // What an instance that has been running for a while holds.
                    let mut set = redis::pipe();
                    for number in 0..300 {
                        set.cmd("SET").arg(format!("user:{number}")).arg("v").arg("EX").arg(900).ignore();
                        set.cmd("SET").arg(format!("session:{number}")).arg("v").arg("EX").arg(900).ignore();
                    }
                    let () = set.query_async(&mut redis).await.expect("set");
                    let new = RedisServer::start(RedisOptions::default()).await.expect("it is installed");
                    let source = page.deployment.clone();
                    let deployment = save(&page.app, &new.url(), strategy).await;
                    let page = Page { deployment, ..page.clone() };
                    let from = CopyFromDraft::Deployment { deployment: source };
                    let state = run(&page, WarmDraft { copy_from: Some(from), ..draft() }, &said).await;
                    let mut to = new.connection().await.expect("it answers");
                    let (here, there) = (keys(&mut redis).await, keys(&mut to).await);
                    assert!(there.is_subset(&here) && there.len() as u64 == state.counts.filled, "{said}");
                    // All users; sessions are protected.
                    let of = |start: &str| there.iter().filter(|key| key.starts_with(start)).count();
                    assert_eq!((of("user:"), of("session:")), (300, 0), "{said}");
                }
                By::Others => {
                    assert!(!view.runnable && view.lacks.contains("users"), "{said}: {view:?}");
                    let warm = ActionDraft::Warm { warm: Box::new(draft()) };
                    let shown = page.preview(warm, None).await.expect("it is shown");
                    let steps = &shown.preview.plan.steps;
                    assert!(matches!(steps.as_slice(), [Action::Shown { .. }]), "{said}: {steps:?}");
                }
            }
        }
        page.app.stop().await;
        lab.shutdown().await;
    }
}

/// What the document says to hold is there and is purged; then the plan loads it again, a request a key.
async fn loads_each_key(lab: &Lab, page: &Page, draft: WarmDraft, items: &[(&str, usize)], said: &str) {
    let mut redis = lab.redis().connection().await.expect("it answers");
    let () = redis::cmd("FLUSHALL").query_async(&mut redis).await.expect("emptied");
    let names_of = |label: &str| -> BTreeSet<String> {
        let namespace = lab.workload().namespaces().iter().find(|own| own.label == label);
        let namespace = namespace.unwrap_or_else(|| panic!("{said}: the lab plays no {label}"));
        let items = namespace.items.min(700);
        let of_tenant = |tenant| (0..items).map(move |item| namespace.key(tenant, item, 1));
        (0..namespace.tenants).flat_map(of_tenant).collect()
    };
    let names: Vec<BTreeSet<String>> = items.iter().map(|(label, _)| names_of(label)).collect();
    let all: Vec<String> = names.iter().flatten().cloned().collect();
    let mut set = redis::pipe();
    for name in &all {
        set.cmd("SET").arg(name).arg("before").arg("EX").arg(3_600).ignore();
    }
    let () = set.query_async(&mut redis).await.expect("set");
    let purge = ActionDraft::Keys { keys: all, database: 0 };
    let purged = page.run(&page.preview(purge, at_once()).await.expect("counted")).await;
    assert_eq!(purged.phase, RunPhase::Finished, "{said}: {}", purged.why);
    assert_eq!(keys(&mut redis).await, BTreeSet::new(), "{said}");

    let url = format!("{}/api/{{namespace}}?{{query}}", lab.service_urls()[0]);
    let draft = WarmDraft { keys: WarmKeys::Run { run: purged.run }, url: Some(url), ..draft };
    let counts = run(page, draft, said).await.counts;
    assert_eq!((counts.failed, counts.unfilled, counts.wrong_ttl), (0, 0, 0), "{said}: {counts:?}");
    let there = keys(&mut redis).await;
    let mut loaded = 0;
    for ((label, limit), names) in items.iter().zip(&names) {
        let found = names.intersection(&there).count();
        assert_eq!(found, names.len().min(*limit), "{said}: {label}");
        loaded += found as u64;
    }
    assert_eq!(loaded, counts.filled, "{said}");
}

const SHOP: &str = r#"
name = "shop"
title = "A shop"

[[namespace]]
name = "item"
title = "Items"
template = "item:{id}"
ttl = "10m"

[[namespace]]
name = "other"
title = "Others"
template = "other:{id}"
ttl = "10m"
"#;

fn item_draft(keys: WarmKeys) -> ActionDraft {
    let warm = WarmDraft {
        namespace: Some("item".to_owned()),
        keys,
        url: Some("http://127.0.0.1:9/{id}".to_owned()),
        private_addresses: true,
        ..WarmDraft::default()
    };
    ActionDraft::Warm { warm: Box::new(warm) }
}

/// The names of the keys that a preview says are due.
fn named(plan: &cachescope_actions::plan::Plan) -> BTreeSet<String> {
    let keys = plan.steps.iter().filter_map(Action::warm).flat_map(|warm| warm.keys());
    keys.map(|key| String::from_utf8_lossy(&key.0).into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_chosen_by_what_is_missed_and_by_what_expires_soon() {
    let options = RedisOptions {
        config: vec![("notify-keyspace-events".to_owned(), "Emxe".to_owned())],
        ..RedisOptions::default()
    };
    let server = RedisServer::start(options).await.expect("redis-server is installed");
    let mut redis = server.connection().await.expect("it answers");
    let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    std::fs::write(file.path(), SHOP).expect("written");
    let page = Page::on(&server.url(), &file.path().to_string_lossy()).await;

    let mut set = redis::pipe();
    for number in 0..300 {
        let lives = if number < 40 { 30 + number } else { 500 };
        set.cmd("SET").arg(format!("item:{number}")).arg("v").arg("EX").arg(lives).ignore();
        set.cmd("SET").arg(format!("other:{number}")).arg("v").arg("EX").arg(20).ignore();
    }
    let () = set.query_async(&mut redis).await.expect("set");
    let soon = page.preview(item_draft(WarmKeys::Expiring { within_seconds: 120 }), None).await;
    let soon = soon.expect("counted").preview;
    assert_eq!(named(&soon.plan), (0..40).map(|number| format!("item:{number}")).collect());
    assert_eq!(soon.keys, 40, "they are due although they are there");

    // Asked for again and again until the session has counted them.
    let missed: BTreeSet<String> = (1_000..1_005).map(|number| format!("item:{number}")).collect();
    let counted = async {
        loop {
            let mut get = redis::pipe();
            for key in &missed {
                get.cmd("GET").arg(key).ignore();
            }
            get.cmd("GET").arg("other:9999").ignore();
            let () = get.query_async(&mut redis).await.expect("asked");
            if let Ok(found) = page.preview(item_draft(WarmKeys::Missed), None).await
                && named(&found.preview.plan) == missed
            {
                return found.preview;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, counted).await.expect("their misses are counted");
    assert_eq!(found.keys, 5);
    page.app.stop().await;
}
