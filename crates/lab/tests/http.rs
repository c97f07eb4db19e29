//! The services' HTTP side, asked over HTTP.

use cachescope_lab::{Lab, LabOptions};
use reqwest::{Client, Method, Response, StatusCode};

struct Front {
    lab: Lab,
    client: Client,
}

impl Front {
    async fn of(strategy: &str) -> Self {
        let lab = Lab::start(LabOptions::quiet(strategy)).await.expect("the lab starts");
        Self { lab, client: Client::new() }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let url = format!("{}{path}", self.lab.service_urls()[0]);
        let request = headers
            .iter()
            .fold(self.client.request(method, url), |it, (name, value)| it.header(*name, *value));
        request.send().await.expect("the service answers")
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path, &[]).await
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("headers are text"))
}

#[tokio::test]
async fn answers_carry_the_documented_cache_headers() {
    for (strategy, path, cache_control, vary) in [
        ("hotspot", "/index.html", "public, max-age=3600, stale-while-revalidate=86400", ""),
        ("hotspot", "/api/dashboard", "private, no-cache", ""),
        (
            "multi-tenant-saas",
            "/api/organization",
            "public, max-age=3600, s-maxage=3600",
            "Authorization, Accept-Language",
        ),
        ("multi-tenant-saas", "/index.html", "no-cache, no-store, must-revalidate", ""),
        ("multi-tenant-saas", "/static/app.3f2a.js", "public, max-age=31536000, immutable", ""),
        ("booking", "/api/services", "s-maxage=300, stale-while-revalidate", ""),
        ("hot-rod-analytics", "/api/historical-trends", "public, max-age=300, s-maxage=600", ""),
        ("task-management", "/static/logo.png", "public, max-age=3600, immutable", ""),
        ("task-management", "/api/public/feature-flags", "public, max-age=120", "Authorization"),
    ] {
        let front = Front::of(strategy).await;
        let answer = front.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{strategy} {path}");
        assert_eq!(
            (header(&answer, "cache-control"), header(&answer, "vary")),
            (cache_control, vary),
            "{strategy} {path}"
        );
        assert!(header(&answer, "etag").starts_with('"'), "{strategy} {path}");
    }
}

#[tokio::test]
async fn an_answer_is_cached_revalidated_bypassed_and_changed() {
    let front = Front::of("multi-tenant-saas").await;
    let path = "/api/organization?tenantId=t01&orgId=o3";
    let first = front.get(path).await;
    assert_eq!(header(&first, "x-cache"), "MISS");
    let tag = header(&first, "etag").to_owned();
    let again = front.ask(Method::GET, path, &[("if-none-match", &tag)]).await;
    assert_eq!((again.status(), header(&again, "x-cache")), (StatusCode::NOT_MODIFIED, "HIT from redis"));

    let before = front.lab.ledger_snapshot().await.expect("Redis answers").total().lookups();
    let bypassed = front.get(&format!("{path}&nocache=true")).await;
    assert_eq!(header(&bypassed, "x-cache"), "BYPASS");
    assert_eq!(header(&bypassed, "cache-control"), "no-store");
    let after = front.lab.ledger_snapshot().await.expect("Redis answers").total().lookups();
    assert_eq!(after, before, "a bypass does not touch the cache");

    assert_eq!(front.ask(Method::POST, path, &[]).await.status(), StatusCode::NO_CONTENT);
    let changed = front.ask(Method::GET, path, &[("if-none-match", &tag)]).await;
    assert_eq!(changed.status(), StatusCode::OK, "written through: {}", header(&changed, "x-cache"));
    assert_eq!(header(&changed, "x-cache"), "HIT from redis");
}

#[tokio::test]
async fn purging_needs_the_token_and_a_pattern_that_names_something() {
    let front = Front::of("hotspot").await;
    front.get("/api/reports-revenue").await;
    front.get("/api/dashboard").await;
    let path = "/api/admin/cache/purge?key=cache:reports:*";
    let token = format!("Bearer {}", front.lab.admin_token());
    for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", "Bearer ")]] {
        let refused = front.ask(Method::POST, path, headers).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{headers:?}");
    }
    for pattern in ["", "*", "**", "?*"] {
        let path = format!("/api/admin/cache/purge?key={pattern}");
        let refused = front.ask(Method::POST, &path, &[("authorization", &token)]).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{pattern}");
    }
    let purged = front.ask(Method::POST, path, &[("authorization", &token)]).await;
    let counts: serde_json::Value = purged.json().await.expect("it answers with JSON");
    assert_eq!(counts, serde_json::json!({ "purged": 1 }));
}

#[tokio::test]
async fn a_tenants_tag_drops_what_was_cached_for_it_alone() {
    let front = Front::of("booking").await;
    for tenant in ["t01", "t02"] {
        front.get(&format!("/api/services?tenantId={tenant}")).await;
        front.get(&format!("/api/staff?tenantId={tenant}")).await;
    }
    let path = "/api/admin/cache/tags?tag=tenant:t01";
    assert_eq!(front.ask(Method::POST, path, &[]).await.status(), StatusCode::UNAUTHORIZED);
    let token = format!("Bearer {}", front.lab.admin_token());
    let dropped = front.ask(Method::POST, path, &[("authorization", &token)]).await;
    let dropped: serde_json::Value = dropped.json().await.expect("it answers with JSON");
    assert_eq!(dropped, serde_json::json!({ "purged": 2 }));
    assert_eq!(header(&front.get("/api/staff?tenantId=t02").await, "x-cache"), "HIT from redis");
    assert_eq!(header(&front.get("/api/staff?tenantId=t01").await, "x-cache"), "MISS");
}

#[tokio::test]
async fn warming_fills_the_cache_and_events_drop_what_the_document_says() {
    let front = Front::of("hot-rod-analytics").await;
    let warmed: serde_json::Value =
        front.ask(Method::POST, "/cache/warm", &[]).await.json().await.expect("it answers with JSON");
    assert_eq!(warmed, serde_json::json!({ "warmed": 6 }), "five tiles and the summary");
    assert_eq!(header(&front.get("/api/sales-pulse").await, "x-cache"), "HIT from redis");

    let dropped: serde_json::Value = front
        .ask(Method::POST, "/events/order-created", &[])
        .await
        .json()
        .await
        .expect("it answers with JSON");
    assert_eq!(dropped, serde_json::json!({ "purged": 2 }));
    assert_eq!(header(&front.get("/api/sales-pulse").await, "x-cache"), "MISS");
    assert_eq!(header(&front.get("/api/cx-escalations").await, "x-cache"), "HIT from redis");
}

#[tokio::test]
async fn health_follows_the_hit_rate_and_redis() {
    let mut front = Front::of("task-management").await;
    let status = async |front: &Front| {
        let answer: serde_json::Value =
            front.get("/health/cache").await.json().await.expect("it answers with JSON");
        answer["status"].as_str().expect("it has a status").to_owned()
    };
    assert_eq!(status(&front).await, "healthy", "without lookups nothing is wrong");
    front.get("/api/project?item=1").await;
    assert_eq!(status(&front).await, "degraded", "one miss");
    for _ in 0..3 {
        front.get("/api/project?item=1").await;
    }
    assert_eq!(status(&front).await, "healthy", "three hits of four");
    front.lab.redis_mut().stop();
    assert_eq!(status(&front).await, "unhealthy");
    assert_eq!(front.get("/api/project?item=1").await.status(), StatusCode::OK, "it serves without cache");
}

#[tokio::test]
async fn the_metrics_page_agrees_with_the_ledger() {
    let front = Front::of("task-management").await;
    for item in [1, 1, 1, 2] {
        front.get(&format!("/api/project?item={item}")).await;
    }
    let page = front.get("/metrics").await.text().await.expect("the page is text");
    for line in [
        r#"cache_hits_total{cache_layer="redis",entity_type="project"} 2"#,
        r#"cache_misses_total{cache_layer="redis",entity_type="project"} 2"#,
        r#"cache_hits_total{cache_layer="redis",entity_type="task"} 0"#,
        r#"cache_operation_duration_seconds_count{cache_layer="redis",entity_type="project",operation="get"} 4"#,
        r#"http_request_duration_seconds_count{route="/api/project",status="200"} 4"#,
        "db_query_duration_seconds_count 2",
    ] {
        assert!(page.lines().any(|it| it == line), "{line} is missing in\n{page}");
    }
    let project = front.lab.ledger_snapshot().await.expect("Redis answers");
    let project = &project.namespaces["entity:project:{projectId}"];
    assert_eq!((project.hits, project.misses.cold), (2, 2));
}

#[tokio::test]
async fn unknown_namespaces_events_and_entities_are_refused_with_what_there_is() {
    let front = Front::of("booking").await;
    for (method, path, status, words) in [
        (Method::GET, "/api/nothing", StatusCode::NOT_FOUND, "services"),
        (Method::GET, "/api/services?tenant=4000", StatusCode::BAD_REQUEST, "below 40"),
        (Method::GET, "/api/pet?petId=a:b", StatusCode::BAD_REQUEST, "colon"),
        (Method::POST, "/events/nothing", StatusCode::NOT_FOUND, "appointment-created"),
    ] {
        let answer = front.ask(method, path, &[]).await;
        assert_eq!(answer.status(), status, "{path}");
        let text = answer.text().await.expect("it is text");
        assert!(text.contains(words), "{path}: {text}");
    }
}
