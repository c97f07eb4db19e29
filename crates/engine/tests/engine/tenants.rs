use cachescope_model::events::KeyEventKind::{Evicted, Miss};
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::scan::ScanMode;
use cachescope_model::strategy::Strategy;
use cachescope_model::window::Window;

use crate::support::{Run, at, info, near, strategy};

fn by_tenant() -> Strategy {
    let mut strategy = strategy(&[("org:{tenant}:{id}", "org"), ("user:{id}", "user")]);
    strategy.namespaces[0].tenant = Some("tenant".to_owned());
    strategy
}

#[test]
fn scans_and_events_are_counted_by_tenant_and_add_up_to_the_namespace() {
    let mut run = Run::new(&by_tenant());
    run.info(0.0, info(100, 0, 0));
    run.began(0.0);
    run.scan(
        0.5,
        1,
        ScanMode::Exact,
        &[
            ("org:a:1", Some(100), None),
            ("org:a:2", Some(300), None),
            ("org:b:1", Some(50), None),
            ("user:9", Some(70), None),
        ],
    );
    let events = [
        (Miss, "org:a:1"),
        (Miss, "org:b:2"),
        (Miss, "org:b:3"),
        (Evicted, "org:c\u{202e}:1"),
        (Miss, "user:1"),
    ];
    run.events(5.0, &events);
    run.info(10.0, info(110, 0, 4));
    run.engine.advance(at(10.0));
    let tenants = run.engine.tenants("org:{tenant}:{id}", at(10.0), Window::TenSeconds);
    let names: Vec<_> = tenants.iter().map(|tenant| tenant.tenant.as_str()).collect();
    assert_eq!(names, ["a", "b", "c\\xe2\\x80\\xae"]);
    near(&tenants[0].readings[&R::MemoryBytes], 400.0);
    near(&tenants[0].readings[&R::Keys], 2.0);
    near(&tenants[1].readings[&R::MissesPerSecond], 0.2);
    near(&tenants[2].readings[&R::EvictionsPerSecond], 0.1);
    let misses: f64 =
        tenants.iter().map(|tenant| tenant.readings[&R::MissesPerSecond].value.expect("counted")).sum();
    let whole = run.snapshot(10.0, Window::TenSeconds).namespaces[0].readings.get(&R::MissesPerSecond);
    near(&whole.expect("counted"), misses);
    assert!(run.engine.tenants("user:{id}", at(10.0), Window::TenSeconds).is_empty());
    assert!(run.engine.tenants("none", at(10.0), Window::TenSeconds).is_empty());
}

#[test]
fn masked_tenants_and_keys_are_not_shown() {
    let mut strategy = by_tenant();
    strategy.namespaces[0].facts.masked = vec!["tenant".to_owned()];
    let mut run = Run::new(&strategy);
    let long = format!("org:secret:{}", "x".repeat(5_000));
    run.scan(0.0, 1, ScanMode::Exact, &[("org:secret:1", Some(100), None), (&long, Some(10_000), None)]);
    let tenants = run.engine.tenants("org:{tenant}:{id}", at(1.0), Window::TenSeconds);
    let contents = run.engine.contents("org:{tenant}:{id}").expect("it was scanned");
    assert_eq!((tenants.len(), contents.biggest.len()), (1, 2));
    let shown = format!("{tenants:?} {contents:?}");
    assert!(!shown.contains("secret") && shown.contains("masked"), "{shown}");
}

#[test]
fn a_miss_of_ours_is_no_tenants() {
    let mut run = Run::new(&by_tenant());
    run.info(0.0, info(100, 0, 0));
    run.began(0.0);
    run.events(1.0, &[(Miss, "org:a:1"), (Miss, "org:a:2")]);
    run.own_miss(1.1, "org:a:1");
    run.info(10.0, info(110, 0, 1));
    run.engine.advance(at(10.0));
    let tenants = run.engine.tenants("org:{tenant}:{id}", at(10.0), Window::TenSeconds);
    near(&tenants[0].readings[&R::MissesPerSecond], 0.1);
}

#[test]
fn the_largest_tenants_have_rows_of_their_own_and_the_others_one_together() {
    let mut run = Run::new(&by_tenant());
    let names: Vec<String> = (0..300)
        .flat_map(|tenant| (0..=tenant / 100).map(move |key| format!("org:t{tenant}:{key}")))
        .collect();
    let keys: Vec<_> = names.iter().map(|name| (name.as_str(), Some(10), None)).collect();
    run.scan(0.0, 1, ScanMode::Exact, &keys);
    let tenants = run.engine.tenants("org:{tenant}:{id}", at(1.0), Window::TenSeconds);
    assert_eq!(tenants.len(), 101);
    assert!(tenants[..100].iter().all(|tenant| tenant.readings[&R::Keys].value == Some(3.0)));
    let others = &tenants[100];
    assert!(others.others && others.tenant.is_empty());
    near(&others.readings[&R::Keys], 300.0);
    near(&others.readings[&R::MemoryBytes], 3_000.0);
}
