//! The five built-in strategies against what their documents say. The tables here are written from the
//! documents, not from the files.

use cachescope_model::duration;
use cachescope_model::strategy::{LayerKind, RedisLock, Strategy, Subject, Trigger, WarmKind};
use cachescope_strategy::{BUILT_IN, built_in, check};

fn strategy(name: &str) -> Strategy {
    built_in(name).expect(name)
}

#[test]
fn every_built_in_file_is_free_of_errors_and_warnings() {
    for strategy in BUILT_IN {
        let checked = check(strategy.file, strategy.text);
        let said: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
        assert!(said.is_empty(), "{}", said.join("\n"));
        assert_eq!(checked.strategy.expect("no problems, so a strategy").name, strategy.name);
    }
}

#[test]
fn the_titles_are_those_of_the_documents() {
    for (name, title) in [
        ("hotspot", "Caching Strategy & Implementation"),
        ("multi-tenant-saas", "ADR-004: Multi-Layer Caching Strategy"),
        ("booking", "SCALE-003: Application Caching Strategy"),
        ("hot-rod-analytics", "Hot Rod AN Caching Strategy"),
        ("task-management", "Caching Strategy (Task Management System)"),
    ] {
        assert_eq!(strategy(name).title, title);
    }
}

#[test]
fn documented_times_to_live_stand_in_the_files() {
    let documented: [(&str, &[(&str, &str)]); 5] = [
        (
            "hotspot",
            &[
                ("cache:dashboard:stats", "5m"),
                ("cache:reports:revenue:v{version#}", "1h"),
                ("cache:reports:projects:v{version#}", "10m"),
                ("cache:{entity}:{id}:{variant}", "-"),
                ("auth:session:{sessionId}", "-"),
            ],
        ),
        (
            "multi-tenant-saas",
            &[
                ("session:{sessionId}", "1d"),
                ("user:{userId}", "1h"),
                ("organization:{tenantId}:{orgId}", "1h"),
                ("organization:{tenantId}:list", "1h"),
                ("organization:{orgId}:v{version#}", "1h"),
                ("version:organization:{orgId}", "-"),
                ("permissions:{userId}", "15m"),
                ("api-key:{keyPrefix}", "1h"),
                ("rate-limit:{tenantId}:{endpoint}", "1m"),
                ("llm-response:{hash}", "7d"),
                ("analytics:{tenantId}:realtime", "1m"),
                ("analytics:{tenantId}:summary", "5m"),
                ("analytics:{tenantId}", "1d"),
                ("feature-flag:{flag}", "5m"),
                ("tenant:{tenantId}", "1h"),
                ("notifications:seen", "-"),
            ],
        ),
        (
            "booking",
            &[
                ("services:{tenantId}", "1h"),
                ("slots:{tenantId}:{date}", "5m"),
                ("pet:{petId}", "15m"),
                ("products:{tenantId}:{category}", "30m"),
                ("products:{tenantId}:all", "30m"),
                ("staff:{tenantId}", "1h"),
                ("appointments:{tenantId}:{rest*}", "5m"),
                ("static:{page}", "1d"),
            ],
        ),
        (
            "hot-rod-analytics",
            &[
                ("dashboard:tile:sales_pulse:v{version#}", "5m"),
                ("dashboard:tile:inventory:v{version#}", "5m"),
                ("dashboard:tile:fulfillment:v{version#}", "5m"),
                ("dashboard:tile:cx:v{version#}", "5m"),
                ("dashboard:tile:ops:v{version#}", "5m"),
                ("dashboard:kpi:summary:v{version#}", "5m"),
                ("dashboard:alerts:critical:v{version#}", "5m"),
                ("dashboard:alerts:all:v{version#}", "5m"),
                ("dashboard:trends:{view}:v{version#}", "15m"),
                ("dashboard:segments:{segment}:v{version#}", "15m"),
                ("dashboard:products:{category}:v{version#}", "15m"),
                ("dashboard:growth:milestones:v{version#}", "1h"),
                ("dashboard:time_savings:v{version#}", "1h"),
                ("dashboard:ytd:{metric}:v{version#}", "1h"),
                ("dashboard:comparisons:{comparison}:v{version#}", "1h"),
            ],
        ),
        (
            "task-management",
            &[
                ("session:{token}", "15m"),
                ("entity:user:{userId}", "5m"),
                ("entity:project:{projectId}", "5m"),
                ("entity:project:list:org:{orgId}:{page}", "5m"),
                ("entity:task:{taskId}", "5m"),
                ("entity:organization:{orgId}", "10m"),
                ("entity:{type}:{id}", "5m"),
                ("query:{hash}", "1m"),
                ("project:{projectId}:tasks", "1m"),
                ("user:{userId}:tasks", "1m"),
                ("notification-count:{userId}", "30s"),
                ("aggregate:project:{projectId}:stats", "5m"),
                ("aggregate:user:{userId}:stats", "5m"),
            ],
        ),
    ];
    for (name, namespaces) in documented {
        let strategy = strategy(name);
        let in_file: Vec<(String, String)> = strategy
            .namespaces
            .iter()
            .map(|own| (own.template.to_string(), own.ttl.map_or("-".to_owned(), duration::format)))
            .collect();
        let wanted: Vec<(String, String)> =
            namespaces.iter().map(|(key, ttl)| ((*key).to_owned(), (*ttl).to_owned())).collect();
        assert_eq!(in_file, wanted, "{name}");
    }
}

#[test]
fn documented_hit_rate_targets_stand_in_the_files() {
    for (name, overall) in [
        ("hotspot", 0.8),
        ("multi-tenant-saas", 0.8),
        ("booking", 0.8),
        ("hot-rod-analytics", 0.9),
        ("task-management", 0.8),
    ] {
        assert_eq!(strategy(name).hit_rate_target, Some(overall), "{name}");
    }
    let adr = strategy("multi-tenant-saas");
    for (name, target) in [("session", 0.95), ("user", 0.75), ("llm-response", 0.6)] {
        assert_eq!(adr.namespace(name).expect(name).hit_rate_target, Some(target), "{name}");
    }
    let hot_rod = strategy("hot-rod-analytics");
    for (name, target) in [("sales-pulse", 0.9), ("historical-trends", 0.95), ("growth-milestones", 0.98)] {
        assert_eq!(hot_rod.namespace(name).expect(name).hit_rate_target, Some(target), "{name}");
    }
}

/// `subject reading sign value for`, in base units.
fn rules(strategy: &Strategy) -> Vec<String> {
    let subject = |subject: &Subject| match subject {
        Subject::Instance { reading } => format!("instance {reading:?}"),
        Subject::Namespaces { namespaces, reading } => format!("{} namespaces {reading:?}", namespaces.len()),
        Subject::Signal { signal } => format!("signal {signal}"),
        Subject::Reachable => "reachable".to_owned(),
        other => format!("{other:?}"),
    };
    let line = |rule: &cachescope_model::strategy::Rule| {
        format!(
            "{} {} for {}",
            subject(&rule.subject),
            rule.threshold.expect("every documented rule has one"),
            duration::format(rule.for_duration)
        )
    };
    strategy.rules.iter().map(line).collect()
}

#[test]
fn documented_alert_thresholds_stand_in_the_files_with_their_durations() {
    let documented: [(&str, &[&str]); 5] = [
        (
            "hotspot",
            &[
                "4 namespaces HitRate < 0.8 for 0s",
                "signal db-cpu > 0.7 for 0s",
                "signal redis-errors > 0 for 0s",
            ],
        ),
        (
            "multi-tenant-saas",
            &[
                "instance HitRate < 0.8 for 10m",
                "instance LatencyP99Seconds > 0.01 for 5m",
                "1 namespaces HitRate < 0.95 for 10m",
                "1 namespaces HitRate < 0.75 for 10m",
                "1 namespaces HitRate < 0.6 for 10m",
                "signal api-p95 > 0.2 for 5m",
            ],
        ),
        ("booking", &["instance HitRate < 0.8 for 0s"]),
        (
            "hot-rod-analytics",
            &[
                "instance HitRate < 0.8 for 5m",
                "instance LatencyMeanSeconds > 0.01 for 0s",
                "instance MemoryRatio > 0.9 for 0s",
                "instance EvictionRatio > 0.2 for 0s",
                "5 namespaces HitRate < 0.9 for 5m",
                "3 namespaces HitRate < 0.95 for 5m",
                "4 namespaces HitRate < 0.98 for 5m",
                "signal db-query-p95 > 0.2 for 5m",
            ],
        ),
        (
            "task-management",
            &[
                "instance HitRate < 0.6 for 0s",
                "instance HitRate < 0.6 for 0s",
                "instance EvictionRatio > 0.1 for 0s",
                "instance LatencyMeanSeconds > 0.01 for 0s",
                "instance MemoryRatio > 0.9 for 0s",
                "instance HitRate <= 0.6 for 0s",
                "reachable < 1 for 0s",
                "signal api-p95 > 0.2 for 5m",
                "signal db-p95 > 0.05 for 5m",
            ],
        ),
    ];
    for (name, wanted) in documented {
        assert_eq!(rules(&strategy(name)), wanted, "{name}");
    }
    let actions: Vec<String> =
        strategy("task-management").rules.iter().map(|rule| rule.action.clone()).collect();
    assert_eq!(
        actions,
        [
            "Review cache strategy",
            "Increase TTL or warm cache",
            "Increase cache size",
            "Check Redis performance",
            "Increase Redis memory",
            "",
            "",
            "",
            "",
        ]
    );
}

#[test]
fn documented_metric_targets_stand_in_the_files() {
    let goals = |name: &str| -> Vec<String> {
        let line = |target: &cachescope_model::strategy::Target| {
            let what = match (&target.subject, target.subject.reading()) {
                (Subject::Signal { signal }, _) => signal.clone(),
                (_, Some(reading)) => format!("{reading:?}"),
                (other, None) => format!("{other:?}"),
            };
            format!("{what} {} {}", target.goal.comparison.sign(), target.goal.value)
        };
        strategy(name).targets.iter().map(line).collect()
    };
    assert_eq!(goals("multi-tenant-saas"), ["api-p95 < 0.2"]);
    assert_eq!(
        goals("hot-rod-analytics"),
        [
            "db-query-p95 < 0.2",
            "HitRate > 0.9",
            "HitRate > 0.9", // a miss rate below 10 %
            "LatencyMeanSeconds < 0.005",
            "EvictionRatio < 0.05",
            "MemoryRatio < 0.8",
        ]
    );
    assert_eq!(
        goals("task-management"),
        [
            "api-p95 < 0.2",
            "db-p95 < 0.05",
            "HitRate > 0.8",
            "HitRate > 0.8", // a miss rate below 20 %
            "EvictionRatio < 0.05",
            "LatencyMeanSeconds < 0.005",
            "MemoryRatio < 0.8",
        ]
    );
}

/// What sets it off, and its steps.
type Purge<'a> = (&'a str, &'a [&'a str]);

#[test]
fn documented_purges_stand_in_the_files_with_what_sets_them_off() {
    let documented: [(&str, &[Purge]); 5] = [
        (
            "hotspot",
            &[
                (
                    "new invoice",
                    &["delete cache:dashboard:stats", "delete keys like cache:reports:revenue:*"],
                ),
                ("new ticket", &["delete cache:dashboard:stats"]),
                ("user role change", &["delete keys like auth:session:*"]),
                ("createCompany", &["invalidate the query [companies, list]"]),
                ("by hand", &["call the endpoint purge"]),
            ],
        ),
        (
            "multi-tenant-saas",
            &[
                ("logout", &["delete session:{sessionId}"]),
                ("password change", &["delete session:{sessionId}"]),
                ("user updated", &["delete user:{userId}"]),
                ("role change", &["delete user:{userId}", "delete permissions:{userId}"]),
                ("permission updated", &["delete permissions:{userId}"]),
                ("key rotation", &["delete api-key:{keyPrefix}"]),
                (
                    "organization updated",
                    &["delete organization:{tenantId}:{orgId}", "delete organization:{tenantId}:list"],
                ),
                (
                    "organization updated, where it is stored by version",
                    &["count version:organization:{orgId} up"],
                ),
                ("by hand", &["delete keys tagged tenant:{tenantId}"]),
                ("data updated", &["delete analytics:{tenantId}:realtime"]),
                ("flag change", &["delete feature-flag:{flag}"]),
                ("deployment", &["invalidate /api/* at the CDN"]),
                ("updateOrganization", &["invalidate the query [organization, {orgId}]"]),
            ],
        ),
        (
            "booking",
            &[
                (
                    "appointment created",
                    &["delete keys like appointments:{tenantId}:*", "delete slots:{tenantId}:{date}"],
                ),
                ("service created or updated", &["revalidate the route tag services"]),
            ],
        ),
        (
            "hot-rod-analytics",
            &[
                ("order created", &["delete all of sales-pulse", "delete all of kpi-summary"]),
                ("inventory updated", &["delete all of inventory-heatmap", "delete all of kpi-summary"]),
                (
                    "SLA breach detected",
                    &[
                        "delete all of fulfillment-health",
                        "delete all of cx-escalations",
                        "delete all of critical-alerts",
                    ],
                ),
                ("shop activated", &["delete all of ops-metrics"]),
            ],
        ),
        (
            "task-management",
            &[
                (
                    "task created",
                    &[
                        "delete project:{projectId}:tasks",
                        "delete aggregate:project:{projectId}:stats",
                        "delete user:{assigneeId}:tasks",
                    ],
                ),
                (
                    "task updated",
                    &[
                        "delete entity:task:{taskId}",
                        "delete project:{projectId}:tasks",
                        "delete aggregate:project:{projectId}:stats",
                    ],
                ),
                (
                    "task deleted",
                    &[
                        "delete entity:task:{taskId}",
                        "delete project:{projectId}:tasks",
                        "delete aggregate:project:{projectId}:stats",
                    ],
                ),
                (
                    "project updated",
                    &[
                        "delete entity:project:{projectId}",
                        "delete keys like entity:project:list:org:{orgId}:*",
                    ],
                ),
                ("logout", &["delete session:{token}"]),
            ],
        ),
    ];
    for (name, playbooks) in documented {
        let strategy = strategy(name);
        let in_file: Vec<(String, Vec<String>)> = strategy
            .playbooks
            .iter()
            .map(|playbook| {
                let set_off = playbook.triggers.first().map_or("by hand".to_owned(), ToString::to_string);
                (set_off, playbook.steps.iter().map(|step| step.action.to_string()).collect())
            })
            .collect();
        for (set_off, steps) in playbooks {
            let wanted =
                ((*set_off).to_owned(), steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>());
            assert!(in_file.contains(&wanted), "{name}: {wanted:?} is not among {in_file:#?}");
        }
    }
}

#[test]
fn documented_schedules_are_cron_lines_in_utc() {
    let hot_rod = strategy("hot-rod-analytics");
    let schedule = |triggers: &[Trigger]| triggers.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (name, cron) in [("end-of-day", "0 0 * * * UTC"), ("first-of-month", "0 0 1 * * UTC")] {
        assert_eq!(schedule(&hot_rod.playbook(name).expect(name).triggers), [cron], "{name}");
    }
    let warm = hot_rod.warm_plan("before-peak-hours").expect("the morning's plan");
    assert_eq!(schedule(&warm.triggers), ["0 6 * * * UTC"]);
    let post = WarmKind::Http { method: "POST".into(), url: "https://api.hotrodan.com/cache/warm".into() };
    assert_eq!(warm.kind, post);
    assert_eq!(warm.items.len(), 6);
    assert!(warm.items.iter().all(|item| item.query.starts_with("SELECT * FROM v_")));
}

#[test]
fn documented_warm_plans_carry_their_limits_and_times_to_live() {
    let adr = strategy("multi-tenant-saas");
    let start = adr.warm_plan("application-start").expect("the plan of ADR-004");
    assert_eq!(start.limits.only_below, Some(1_000));
    assert_eq!(start.items[0].ttl.map(duration::format).as_deref(), Some("1h"));

    let ttls: Vec<_> =
        strategy("booking").warm_plans[0].items.iter().map(|item| item.ttl.map(duration::format)).collect();
    assert_eq!(ttls, [Some("1h".to_owned()), Some("30m".to_owned()), Some("1h".to_owned())]);

    let limits: Vec<_> =
        strategy("task-management").warm_plans[0].items.iter().map(|item| item.limit).collect();
    assert_eq!(limits, [Some(100), Some(500), Some(50)]);
}

#[test]
fn documented_headers_stale_times_and_view_refreshes_stand_in_the_files() {
    for (name, header, value) in [
        ("hotspot", "Cache-Control", "public, max-age=3600, stale-while-revalidate=86400"),
        ("hotspot", "Cache-Control", "private, no-cache"),
        ("multi-tenant-saas", "Cache-Control", "public, immutable"),
        ("multi-tenant-saas", "Cache-Control", "no-cache, no-store, must-revalidate"),
        ("multi-tenant-saas", "Cache-Control", "public, max-age=3600, s-maxage=3600"),
        ("multi-tenant-saas", "Vary", "Authorization, Accept-Language"),
        ("multi-tenant-saas", "Cache-Control", "public, max-age=86400, immutable"),
        ("hot-rod-analytics", "Cache-Control", "public, max-age=300, s-maxage=600"),
        ("task-management", "Cache-Control", "public, max-age=3600, immutable"),
    ] {
        let wanted = (header.to_owned(), value.to_owned());
        assert!(
            strategy(name).http.iter().any(|http| http.headers.contains(&wanted)),
            "{name}: {header}: {value}"
        );
    }
    let stale: Vec<_> =
        strategy("hotspot").client.iter().map(|client| client.stale_time.map(duration::format)).collect();
    assert_eq!(stale, [Some("1m".to_owned()), Some("5m".to_owned()), None]);
    let page = &strategy("multi-tenant-saas").client[0];
    assert_eq!((page.stale_time, page.cache_time).0.map(duration::format).as_deref(), Some("5m"));
    assert_eq!(page.cache_time.map(duration::format).as_deref(), Some("30m"));
    let views: Vec<_> = strategy("hot-rod-analytics")
        .views
        .iter()
        .map(|view| (view.from.clone(), duration::format(view.refresh_every)))
        .collect();
    let wanted = [("v_sales_pulse_current", "5m"), ("v_inventory_alerts", "10m"), ("v_kpi_summary", "5m")];
    assert_eq!(views, wanted.map(|(view, every)| (view.to_owned(), every.to_owned())));
    let cdn: Vec<_> = strategy("task-management")
        .http
        .iter()
        .map(|http| {
            [http.min_ttl, http.default_ttl, http.max_ttl]
                .map(|ttl| ttl.map(duration::format).unwrap_or_default())
        })
        .collect();
    assert_eq!(cdn, [["1h", "1h", "1d"], ["1m", "2m", "5m"]]);
}

#[test]
fn documented_layers_stand_in_the_files_nearest_to_the_user_first() {
    use LayerKind::{Browser, Cdn, Client, Database, Memory, Redis, Route, Source};
    for (name, wanted) in [
        ("hotspot", vec![Cdn, Client, Memory, Redis, Source]),
        ("multi-tenant-saas", vec![Client, Browser, Cdn, Redis, Database, Source]),
        ("booking", vec![Client, Route, Redis, Source]),
        ("hot-rod-analytics", vec![Cdn, Redis, Database]),
        ("task-management", vec![Cdn, Memory, Redis, Source]),
    ] {
        let strategy = strategy(name);
        let built = strategy.layers.iter().filter(|layer| !layer.planned);
        assert_eq!(built.map(|layer| layer.kind).collect::<Vec<_>>(), wanted, "{name}");
    }
    let memory = |name: &str| {
        strategy(name).layers.iter().find(|layer| layer.kind == Memory).and_then(|l| l.max_items)
    };
    assert_eq!((memory("hotspot"), memory("task-management")), (Some(100), Some(100)));
}

#[test]
fn documented_sizings_add_up() {
    for (name, total, recommended, overhead) in [
        ("multi-tenant-saas", 740e6, 2_000_000_000, 1.0),
        ("hot-rod-analytics", 520e3, 1_000_000_000, 1.0),
        ("task-management", 2e9, 4_000_000_000, 1.3),
    ] {
        let sizing = strategy(name).sizing.expect(name);
        assert_eq!((sizing.recommended_bytes, sizing.overhead), (Some(recommended), overhead), "{name}");
        let expected = sizing.expected_bytes();
        assert!(
            (expected / total - 1.0).abs() < 0.03,
            "{name}: the rows give {expected}, the document {total}"
        );
    }
    let adr = strategy("multi-tenant-saas");
    assert_eq!(adr.redis.maxmemory_policy.as_deref(), Some("allkeys-lru"));
    assert_eq!(strategy("task-management").redis.minimum_version.as_deref(), Some("7.0"));
}

#[test]
fn documented_rules_beside_the_figures_stand_in_the_files() {
    let hotspot = strategy("hotspot");
    let stampede = hotspot.stampede.expect("single flight");
    assert_eq!((stampede.single_flight, stampede.redis_lock), (true, RedisLock::Optional));
    let purge = &hotspot.endpoints[0];
    assert_eq!((purge.path.as_str(), purge.protected), ("/api/admin/cache/purge?key={pattern}", true));

    let adr = strategy("multi-tenant-saas");
    let isolation = adr.tenant_isolation.expect("tenant isolation");
    assert_eq!(isolation.field, "tenantId");
    assert_eq!(isolation.forbidden[0].as_str(), "organization:{orgId}");

    let hot_rod = strategy("hot-rod-analytics");
    let versioning = hot_rod.versioning.expect("versions");
    assert_eq!(versioning.grace.map(duration::format).as_deref(), Some("5m"));
    assert_eq!(versioning.namespaces.len(), hot_rod.namespaces.len());
    assert_eq!((hot_rod.never_cache.len(), hot_rod.bypass.len()), (3, 4));
    assert_eq!(hot_rod.bypass[0].query.as_deref(), Some("nocache=true"));

    let tasks = strategy("task-management");
    let health = tasks.health.as_ref().expect("a health page");
    assert_eq!((health.path.as_str(), health.healthy_above), ("/health/cache", Some(0.6)));
    assert!(tasks.namespace("session").expect("sessions").facts.sliding);
}

#[test]
fn metric_names_are_those_of_the_three_dialects() {
    for (name, hits, latency, unit, layer, label) in [
        ("hotspot", "cache_hit_count", "cache_latency_ms", 1e-3, "layer", "hotspot"),
        ("multi-tenant-saas", "cache_hits_total", "cache_latency_seconds", 1.0, "layer", "type"),
        ("booking", "cache_hits_total", "cache_latency_seconds", 1.0, "layer", "type"),
        (
            "hot-rod-analytics",
            "cache_hits_total",
            "cache_operation_duration_seconds",
            1.0,
            "cache_layer",
            "entity_type",
        ),
        (
            "task-management",
            "cache_hits_total",
            "cache_operation_duration_seconds",
            1.0,
            "cache_layer",
            "entity_type",
        ),
    ] {
        let metrics = strategy(name).metrics.expect(name);
        assert_eq!(metrics.hits, hits, "{name}");
        assert_eq!(metrics.latency.as_deref(), Some(latency), "{name}");
        assert_eq!(metrics.latency_unit_seconds, unit, "{name}");
        assert_eq!(metrics.layer_label.as_deref(), Some(layer), "{name}");
        assert_eq!(metrics.namespace_label.as_deref(), Some(label), "{name}");
        assert_eq!(metrics.redis_layer.as_deref(), Some("redis"), "{name}");
        assert_eq!(metrics.read_operation, Some(("operation".to_owned(), "get".to_owned())), "{name}");
    }
}

#[test]
fn sessions_rate_limits_and_version_counters_are_protected() {
    for strategy in BUILT_IN {
        for namespace in built_in(strategy.name).expect("it is built in").namespaces {
            let must = ["session", "rate-limit", "version"].iter().any(|word| {
                namespace.template.as_str().starts_with(word) || namespace.name.ends_with("-session")
            });
            assert!(!must || namespace.protected, "{}: {}", strategy.name, namespace.name);
        }
    }
}

#[test]
fn strategies_travel_as_json_with_times_in_seconds() {
    for built in BUILT_IN {
        let strategy = built_in(built.name).expect("it is built in");
        let json = serde_json::to_value(&strategy).expect("every part can travel");
        for (own, travelled) in strategy.namespaces.iter().zip(json["namespaces"].as_array().expect("a list"))
        {
            assert_eq!(travelled["template"], own.template.as_str());
            assert_eq!(travelled["ttl_seconds"].as_f64(), own.ttl.map(|ttl| ttl.as_secs_f64()));
        }
    }
    let json = serde_json::to_value(strategy("hotspot")).expect("every part can travel");
    assert_eq!(json["playbooks"][0]["steps"][1]["pattern"]["pattern"], "cache:reports:revenue:*");
    assert_eq!(json["playbooks"][0]["triggers"][0]["event"], "new invoice");
    let json = serde_json::to_value(strategy("hot-rod-analytics")).expect("every part can travel");
    assert_eq!(json["warm_plans"][0]["kind"], "http");
    assert_eq!(json["rules"][0]["for_seconds"], 300.0);
}
