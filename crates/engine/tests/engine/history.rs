use cachescope_engine::HistoryQuery;
use cachescope_model::events::KeyEventKind::Miss;
use cachescope_model::observation::Observed;
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::scan::ScanMode;
use cachescope_model::strategy::Strategy;

use crate::support::{Run, at, info, strategy};

fn query(namespace: Option<&str>, kind: R, from: f64, to: f64, points: usize) -> HistoryQuery {
    HistoryQuery { namespace: namespace.map(str::to_owned), kind, from: at(from), to: at(to), points }
}

#[test]
fn a_gap_stays_a_gap() {
    let mut run = Run::new(&Strategy::default());
    for second in (0..=20u64).chain(40..=60) {
        let mut server = info(100 + second, 30 * second, 10 * second);
        if second >= 40 {
            server.run_id = "b".to_owned();
        }
        run.info(second as f64, server);
    }
    let points = run.engine.history(&query(None, R::HitRate, 0.0, 60.0, 6));
    let values: Vec<_> = points.iter().map(|point| point.value).collect();
    assert_eq!(values, [Some(0.75), Some(0.75), None, None, Some(0.75), Some(0.75)]);
    assert_eq!(points[5].at, at(60.0));
    let memory = run.engine.history(&query(None, R::MemoryBytes, 0.0, 60.0, 6));
    assert_eq!(memory.iter().filter(|point| point.value.is_none()).count(), 1, "{memory:?}");
    assert!(run.engine.history(&query(Some("nobody"), R::HitRate, 0.0, 60.0, 6)).is_empty());
    assert!(run.engine.history(&query(None, R::HitRate, 60.0, 0.0, 6)).is_empty());
}

#[test]
fn misses_of_a_namespace_over_an_hour_add_up() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.began(0.0);
    for second in 0..3_600 {
        run.events(f64::from(second), &[(Miss, "user:1"), (Miss, "user:2")]);
    }
    run.engine.advance(at(3_600.0));
    let points = run.engine.history(&query(Some("user:{id}"), R::MissesPerSecond, 0.0, 3_600.0, 30));
    let sum: f64 = points.iter().filter_map(|point| point.value).sum();
    assert!((sum * 120.0 - 7_200.0).abs() < 60.0, "{sum}");
    let future = run.engine.history(&query(Some("user:{id}"), R::MissesPerSecond, 3_600.0, 3_660.0, 3));
    assert!(future.iter().all(|point| point.value.is_none()));
    run.see(3_600.5, "redis:6379", Observed::EventsLost);
    run.engine.advance(at(3_630.0));
    let lost = run.engine.history(&query(Some("user:{id}"), R::MissesPerSecond, 3_600.0, 3_630.0, 3));
    assert!(lost.iter().all(|point| point.value.is_none()), "{lost:?}");
}

#[test]
fn scanned_figures_are_steps() {
    let mut run = Run::new(&strategy(&[("user:{id}", "user")]));
    run.scan(10.0, 1, ScanMode::Exact, &[("user:1", Some(10), None)]);
    run.scan(30.0, 2, ScanMode::Exact, &[("user:1", Some(10), None), ("user:2", Some(10), None)]);
    run.engine.advance(at(50.0));
    let keys = run.engine.history(&query(Some("user:{id}"), R::Keys, 0.0, 50.0, 5));
    let values: Vec<_> = keys.iter().map(|point| point.value).collect();
    assert_eq!(values, [Some(1.0), Some(1.0), Some(2.0), Some(2.0), Some(2.0)]);
}
