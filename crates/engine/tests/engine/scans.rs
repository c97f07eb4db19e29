use cachescope_model::observation::Observed;
use cachescope_model::reading::Certainty;
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::scan::{KeyDetails, ScanChunk, ScanFinished, ScanMode, ScanStarted, ScannedKey, Ttl};
use cachescope_model::strategy::{Sizing, SizingEntry, TenantIsolation};

use crate::support::{Run, info, near, of, says, strategy};

const DAY: Option<Ttl> = Some(Ttl::Millis(86_400_000));
const SHORT: Option<Ttl> = Some(Ttl::Millis(30_000));
const FOREVER: Option<Ttl> = Some(Ttl::None);

#[test]
fn an_exact_scan_counts_and_weighs_every_key_and_the_remainder_closes_the_sum() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user"), ("org:{id}", "org")]));
    run.info(0.0, info(100, 0, 0));
    let before = run.minute(0.1);
    for kind in [R::MemoryBytes, R::Keys, R::TtlP50Seconds, R::NoTtlRatio] {
        says(&of(&before, "user:{id}", kind), "no scan yet");
    }
    run.scan(
        1.0,
        1,
        ScanMode::Exact,
        &[
            ("user:1", Some(100), SHORT),
            ("user:2", Some(300), FOREVER),
            // SCAN repeats keys while a table is resized.
            ("user:1", Some(100), SHORT),
            ("session:9", Some(50), DAY),
            ("cart:1:items", Some(60), SHORT),
        ],
    );
    run.info(4.0, info(104, 0, 0));
    let snapshot = run.minute(4.0);
    near(&of(&snapshot, "user:{id}", R::Keys), 2.0);
    near(&of(&snapshot, "user:{id}", R::MemoryBytes), 400.0);
    assert_eq!(of(&snapshot, "user:{id}", R::MemoryBytes).certainty, Certainty::Exact);
    assert_eq!(of(&snapshot, "user:{id}", R::MemoryBytes).source, "exact scan, 3 s ago");
    near(&of(&snapshot, "user:{id}", R::NoTtlRatio), 0.5);
    let ttl = of(&snapshot, "user:{id}", R::TtlP50Seconds);
    assert!(ttl.low.expect("low") <= 30.0 && ttl.high.expect("high") >= 30.0, "{ttl:?}");
    near(&of(&snapshot, "org:{id}", R::Keys), 0.0);
    near(&of(&snapshot, "session:{id}", R::MemoryBytes), 50.0);
    let sum: f64 =
        snapshot.namespaces.iter().map(|row| row.readings.value(R::MemoryBytes).expect("weighed")).sum();
    near(&snapshot.instance[&R::MemoryBytes], sum);
    let finding = snapshot.findings.iter().find(|finding| finding.code == "no-ttl").expect("user:2");
    assert!(finding.summary.starts_with("1 of 2 keys of user never expire"), "{}", finding.summary);
}

#[test]
fn a_sampled_scan_counts_every_key_and_estimates_bytes_with_an_interval() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user"), ("org:{id}", "org")]));
    let names: Vec<String> = (0..1_000).map(|number| format!("user:{number}")).collect();
    let mut keys: Vec<(&str, Option<u64>, Option<Ttl>)> = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let weighed = number % 4 == 0;
            let size = if number % 8 == 0 { 100 } else { 200 };
            (name.as_str(), weighed.then_some(size), weighed.then_some(Ttl::Millis(90_000)))
        })
        .collect();
    keys.push(("org:1", None, None));
    run.scan(0.0, 1, ScanMode::Sampled { weigh_every: 4 }, &keys);
    let snapshot = run.minute(1.0);
    near(&of(&snapshot, "user:{id}", R::Keys), 1_000.0);
    let memory = of(&snapshot, "user:{id}", R::MemoryBytes);
    near(&memory, 150_000.0);
    // s² = 2510.04 (n − 1), N = 1000, n = 250: half = 1.96 · 1000 · √(0.75 · 10.0402) = 5378.
    assert!((memory.high.expect("high") - 155_378.0).abs() < 50.0, "{memory:?}");
    assert!((memory.low.expect("low") - 144_622.0).abs() < 50.0, "{memory:?}");
    let one = of(&snapshot, "org:{id}", R::MemoryBytes);
    assert_eq!(one.certainty, Certainty::Modelled, "{one:?}");
    near(&one, 150.0);
    let finding =
        snapshot.findings.iter().find(|finding| finding.code == "ttl-beyond").expect("90 s, not 60");
    assert!(finding.summary.contains("250 of 250 keys asked"), "{}", finding.summary);
}

#[test]
fn the_last_complete_scan_stands_while_the_next_one_runs_or_is_dropped() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.scan(0.0, 1, ScanMode::Exact, &[("user:1", Some(10), SHORT)]);
    let node = "redis:6379";
    let started = ScanStarted { scan: 2, mode: ScanMode::Exact, keys_expected: 5 };
    run.see(10.0, node, Observed::ScanStarted(started));
    let chunk = |scan| {
        let keys = (0..5).map(|number| ScannedKey {
            key: format!("user:{number}").into(),
            memory: Some(10),
            ..ScannedKey::default()
        });
        Observed::ScanChunk(ScanChunk { scan, database: 0, database_keys: 5, keys: keys.collect() })
    };
    run.see(10.1, node, chunk(2));
    run.see(10.1, node, chunk(99));
    let snapshot = run.minute(11.0);
    near(&of(&snapshot, "user:{id}", R::Keys), 1.0);
    assert_eq!(of(&snapshot, "user:{id}", R::Keys).source, "exact scan, 11 s ago; the next one runs");
    run.see(12.0, node, Observed::ScanFinished(ScanFinished { scan: 2, complete: false, whole: false }));
    near(&of(&run.minute(12.0), "user:{id}", R::Keys), 1.0);
    run.see(20.0, node, Observed::ScanStarted(ScanStarted { scan: 3, ..started }));
    run.see(20.1, node, chunk(3));
    run.see(20.2, node, Observed::ScanFinished(ScanFinished { scan: 3, complete: true, whole: true }));
    near(&of(&run.minute(21.0), "user:{id}", R::Keys), 5.0);
}

#[test]
fn scans_of_several_nodes_add_up() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    for (node, key) in [("a:1", "user:1"), ("b:1", "user:2"), ("a:1", "user:3")] {
        let started = ScanStarted { scan: 1, mode: ScanMode::Exact, keys_expected: 1 };
        run.see(1.0, node, Observed::ScanStarted(started));
        let keys = vec![ScannedKey {
            key: bytes::Bytes::copy_from_slice(key.as_bytes()),
            memory: Some(10),
            ..ScannedKey::default()
        }];
        let chunk = ScanChunk { scan: 1, database: 0, database_keys: 1, keys };
        run.see(1.0, node, Observed::ScanChunk(chunk));
        run.see(1.0, node, Observed::ScanFinished(ScanFinished { scan: 1, complete: true, whole: true }));
    }
    near(&of(&run.minute(2.0), "user:{id}", R::Keys), 2.0);
}

#[test]
fn a_part_of_the_keys_stands_for_all_and_says_how_sure_it_is() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user"), ("org:{id}", "org"), ("rare:{id}", "rare")]));
    let node = "redis:6379";
    let mode = ScanMode::Precise { half_width: 0.05 };
    run.see(0.0, node, Observed::ScanStarted(ScanStarted { scan: 1, mode, keys_expected: 100_000 }));
    let mut asked = Vec::new();
    for portion in 0..40 {
        let keys = (0..1_000).map(|number| {
            let (name, bytes) = if number % 4 == 0 { ("org", 900) } else { ("user", 100 + number % 50) };
            ScannedKey {
                key: format!("{name}:{portion}-{number}").into(),
                memory: Some(bytes),
                stratum: u16::from(name == "org"),
                ..ScannedKey::default()
            }
        });
        let chunk = ScanChunk { scan: 1, database: 0, database_keys: 100_000, keys: keys.collect() };
        run.see(0.1, node, Observed::ScanChunk(chunk));
        asked.extend(run.engine.scans_with_enough().into_iter().map(|found| (portion, found)));
    }
    let (first, found) = asked.first().expect("a quarter and three quarters are soon known to 5 %");
    assert!((19..22).contains(first), "after {first} thousand keys");
    assert_eq!(*found, (node.to_owned(), 1));
    let finished = ScanFinished { scan: 1, complete: true, whole: false };
    run.see(0.2, node, Observed::ScanFinished(finished));
    let snapshot = run.minute(1.0);
    let bytes = of(&snapshot, "org:{id}", R::MemoryBytes);
    near(&bytes, 25_000.0 * 900.0);
    assert_eq!(bytes.certainty, Certainty::Estimated);
    let half = (bytes.high.expect("high") - bytes.low.expect("low")) / 2.0;
    assert!(half > 0.0 && half < 0.05 * 25_000.0 * 900.0, "{bytes:?}");
    near(&of(&snapshot, "user:{id}", R::Keys), 75_000.0);
    assert!(bytes.source.starts_with("scan of a part of the keys"), "{bytes:?}");
    let unmet = of(&snapshot, "rare:{id}", R::Keys);
    assert_eq!((unmet.value, unmet.certainty), (Some(0.0), Certainty::Estimated));
    assert!(unmet.high.is_some_and(|high| (5.0..10.0).contains(&high)), "some may be left: {unmet:?}");
    assert_eq!(of(&snapshot, "rare:{id}", R::MemoryBytes).certainty, Certainty::Modelled);
}

#[test]
fn what_a_namespace_holds_is_told_with_its_biggest_keys() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    let node = "redis:6379";
    let started = ScanStarted { scan: 1, mode: ScanMode::Exact, keys_expected: 100 };
    run.see(0.0, node, Observed::ScanStarted(started));
    assert_eq!(run.engine.contents("user:{id}"), None, "no scan has ended yet");
    let keys = (0..100u64).map(|number| {
        let lot = KeyDetails {
            by_lot: number < 30,
            kind: Some(if number % 3 == 0 { "hash" } else { "string" }.into()),
            encoding: Some("raw".into()),
            idle_seconds: Some(60),
        };
        let key = if number == 99 {
            bytes::Bytes::from_static(b"user:\xff\n")
        } else {
            format!("user:{number}").into()
        };
        ScannedKey {
            key,
            memory: Some(100 + number),
            ttl: if number == 99 { FOREVER } else { SHORT },
            partly_weighed: number == 98,
            details: (!(30..=80).contains(&number)).then(|| Box::new(lot)),
            ..ScannedKey::default()
        }
    });
    let chunk = ScanChunk { scan: 1, database: 3, database_keys: 100, keys: keys.collect() };
    run.see(0.1, node, Observed::ScanChunk(chunk));
    run.see(0.2, node, Observed::ScanFinished(ScanFinished { scan: 1, complete: true, whole: true }));
    let contents = run.engine.contents("user:{id}").expect("it was scanned");
    assert_eq!((contents.met, contents.weighed, contents.asked), (100, 100, 100));
    let types: Vec<_> = contents.types.iter().map(|kind| (kind.name.as_str(), kind.keys)).collect();
    assert_eq!(types, [("string", 20), ("hash", 10)], "those asked for their weight stand for nobody else");
    assert_eq!(contents.biggest.len(), 20);
    let biggest = &contents.biggest[0];
    assert_eq!((biggest.key.as_str(), biggest.bytes, biggest.database), ("user:\\xff\\n", 199, 3));
    assert_eq!(
        (biggest.expires, biggest.ttl_seconds, biggest.kind.as_deref()),
        (Some(false), None, Some("hash"))
    );
    assert!(contents.biggest[1].estimated && contents.biggest[1].expires == Some(true));
    let idle = contents.idle_seconds.expect("it was asked");
    assert!((idle.p50 - 60.0).abs() < 3.0, "{idle:?}");
    assert_eq!(run.engine.contents("nothing:{id}"), None);
}

fn codes(snapshot: &cachescope_model::snapshot::Snapshot) -> Vec<(&str, &str)> {
    snapshot.findings.iter().map(|finding| (finding.code.as_str(), finding.namespace.as_str())).collect()
}

#[test]
fn stale_versions_missing_tenants_and_other_sizes_are_found() {
    let mut strategy = strategy(&[
        ("tile:{name}:v{version#}", "tile"),
        ("org:{tenant}:{id}", "org"),
        ("global:{id}", "global"),
        ("lookup:{id}", "lookup"),
        ("small:{id}", "small"),
    ]);
    strategy.namespaces[0].version = Some("version".to_owned());
    strategy.namespaces[1].tenant = Some("tenant".to_owned());
    strategy.tenant_isolation = Some(TenantIsolation {
        field: "tenant".to_owned(),
        exempt: vec!["tile".to_owned(), "lookup".to_owned(), "small".to_owned()],
        ..TenantIsolation::default()
    });
    let entry = |name: &str, entry_bytes| SizingEntry {
        what: format!("{name} entries"),
        namespaces: vec![name.to_owned()],
        entry_bytes,
        count: 1_000,
        total_bytes: entry_bytes * 1_000,
    };
    strategy.sizing = Some(Sizing {
        overhead: 1.3,
        entries: vec![entry("lookup", 2_000), entry("small", 20_000), entry("org", 2_000)],
        ..Sizing::default()
    });
    let mut run = Run::new(&strategy);
    run.scan(
        0.0,
        1,
        ScanMode::Exact,
        &[
            ("tile:a:v1", Some(10), SHORT),
            ("tile:a:v2", Some(10), SHORT),
            ("tile:b:v1", Some(10), SHORT),
            ("org:t:1", Some(2_500_000), SHORT),
            ("global:1", Some(10), SHORT),
            ("lookup:1", Some(5_000_000), SHORT),
            ("small:1", Some(5_000), SHORT),
        ],
    );
    let snapshot = run.minute(1.0);
    assert_eq!(
        codes(&snapshot),
        [
            ("stale-version", "tile:{name}:v{version#}"),
            ("no-tenant", "global:{id}"),
            ("larger-than-sized", "lookup:{id}"),
            ("smaller-than-sized", "small:{id}"),
        ]
    );
    let summary = |code: &str| {
        let found = snapshot.findings.iter().find(|finding| finding.code == code);
        found.map(|finding| finding.summary.as_str()).unwrap_or_default()
    };
    assert_eq!(
        summary("stale-version"),
        "1 keys of tile are older versions beside a newer one; the newest version is 2"
    );
    assert_eq!(
        summary("larger-than-sized"),
        "lookup entries takes 5.0 MB; documented are 2.6 MB, overhead included"
    );
}
