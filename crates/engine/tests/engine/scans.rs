use cachescope_model::observation::Observed;
use cachescope_model::reading::Certainty;
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::scan::{ScanChunk, ScanFinished, ScanMode, ScanStarted, Ttl};

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
        says(of(&before, "user:{id}", kind), "no scan yet");
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
    near(of(&snapshot, "user:{id}", R::Keys), 2.0);
    near(of(&snapshot, "user:{id}", R::MemoryBytes), 400.0);
    assert_eq!(of(&snapshot, "user:{id}", R::MemoryBytes).certainty, Certainty::Exact);
    assert_eq!(of(&snapshot, "user:{id}", R::MemoryBytes).source, "exact scan, 3 s ago");
    near(of(&snapshot, "user:{id}", R::NoTtlRatio), 0.5);
    let ttl = of(&snapshot, "user:{id}", R::TtlP50Seconds);
    assert!(ttl.low.expect("low") <= 30.0 && ttl.high.expect("high") >= 30.0, "{ttl:?}");
    near(of(&snapshot, "org:{id}", R::Keys), 0.0);
    near(of(&snapshot, "session:{id}", R::MemoryBytes), 50.0);
    let sum: f64 =
        snapshot.namespaces.iter().map(|row| row.readings[&R::MemoryBytes].value.expect("weighed")).sum();
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
            let weighed = number % 10 == 0;
            let size = if number % 20 == 0 { 100 } else { 200 };
            (name.as_str(), weighed.then_some(size), weighed.then_some(Ttl::Millis(90_000)))
        })
        .collect();
    keys.push(("org:1", None, None));
    run.scan(0.0, 1, ScanMode::Sampled { weigh_every: 10 }, &keys);
    let snapshot = run.minute(1.0);
    near(of(&snapshot, "user:{id}", R::Keys), 1_000.0);
    let memory = of(&snapshot, "user:{id}", R::MemoryBytes);
    near(memory, 150_000.0);
    // s² = 2525.25 (n − 1), N = 1000, n = 100: half = 1.96 · 1000 · √(0.9 · 25.2525) = 9344.
    assert!((memory.high.expect("high") - 159_344.0).abs() < 50.0, "{memory:?}");
    assert!((memory.low.expect("low") - 140_656.0).abs() < 50.0, "{memory:?}");
    let one = of(&snapshot, "org:{id}", R::MemoryBytes);
    assert_eq!(one.certainty, Certainty::Modelled, "{one:?}");
    near(one, 150.0);
    let finding =
        snapshot.findings.iter().find(|finding| finding.code == "ttl-beyond").expect("90 s, not 60");
    assert!(finding.summary.contains("100 of 100 keys asked"), "{}", finding.summary);
}

#[test]
fn the_last_complete_scan_stands_while_the_next_one_runs_or_is_dropped() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.scan(0.0, 1, ScanMode::Exact, &[("user:1", Some(10), SHORT)]);
    let node = "redis:6379";
    let started = ScanStarted { scan: 2, mode: ScanMode::Exact, keys_expected: 5 };
    run.see(10.0, node, Observed::ScanStarted(started));
    let chunk = |scan| {
        let keys = (0..5).map(|number| cachescope_model::scan::ScannedKey {
            key: format!("user:{number}").into(),
            memory: Some(10),
            ttl: None,
        });
        Observed::ScanChunk(ScanChunk { scan, database: 0, keys: keys.collect() })
    };
    run.see(10.1, node, chunk(2));
    run.see(10.1, node, chunk(99));
    let snapshot = run.minute(11.0);
    near(of(&snapshot, "user:{id}", R::Keys), 1.0);
    assert_eq!(of(&snapshot, "user:{id}", R::Keys).source, "exact scan, 11 s ago; the next one runs");
    run.see(12.0, node, Observed::ScanFinished(ScanFinished { scan: 2, complete: false }));
    near(of(&run.minute(12.0), "user:{id}", R::Keys), 1.0);
    run.see(20.0, node, Observed::ScanStarted(ScanStarted { scan: 3, ..started }));
    run.see(20.1, node, chunk(3));
    run.see(20.2, node, Observed::ScanFinished(ScanFinished { scan: 3, complete: true }));
    near(of(&run.minute(21.0), "user:{id}", R::Keys), 5.0);
}

#[test]
fn scans_of_several_nodes_add_up() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    for (node, key) in [("a:1", "user:1"), ("b:1", "user:2"), ("a:1", "user:3")] {
        let started = ScanStarted { scan: 1, mode: ScanMode::Exact, keys_expected: 1 };
        run.see(1.0, node, Observed::ScanStarted(started));
        let keys = vec![cachescope_model::scan::ScannedKey {
            key: bytes::Bytes::copy_from_slice(key.as_bytes()),
            memory: Some(10),
            ttl: None,
        }];
        run.see(1.0, node, Observed::ScanChunk(ScanChunk { scan: 1, database: 0, keys }));
        run.see(1.0, node, Observed::ScanFinished(ScanFinished { scan: 1, complete: true }));
    }
    near(of(&run.minute(2.0), "user:{id}", R::Keys), 2.0);
}
