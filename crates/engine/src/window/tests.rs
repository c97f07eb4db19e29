use proptest::prelude::*;

use super::{Column, Count, Fold, Frame, Gauge, Tally};

const START: i64 = 1_700_000_003;

fn step(frame: &mut Frame, column: &mut Column, second: i64) {
    let folds: Vec<Fold> = frame.advance(second).to_vec();
    column.fold(&folds);
}

#[test]
fn every_window_of_a_steady_counter_holds_at_least_its_seconds_and_never_a_slot_too_many() {
    let (mut frame, mut column) = (Frame::default(), Column::default());
    for second in START..START + 90_000 {
        step(&mut frame, &mut column, second);
        column.add(&frame, second, 1);
    }
    for (seconds, slot) in [(10, 1), (60, 1), (300, 10), (900, 10), (3_600, 60), (86_400, 600)] {
        let sum = column.sum(&frame.range(START + 89_999, seconds));
        let (least, most) = (u64::from(seconds), u64::from(seconds) + slot);
        assert!((least..=most).contains(&sum), "{seconds} s: {sum}");
        // A scrape that ended 50 s ago still finds its window at the same resolution.
        let sum = column.sum(&frame.range(START + 89_949, seconds));
        assert!((least..=most).contains(&sum), "{seconds} s, 50 s ago: {sum}");
    }
}

#[test]
fn a_day_asleep_empties_the_windows_and_costs_few_folds() {
    let (mut frame, mut column) = (Frame::default(), Column::default());
    for second in START..START + 5_000 {
        step(&mut frame, &mut column, second);
        column.add(&frame, second, 3);
    }
    let folds = frame.advance(START + 5_000 + 20 * 3_600);
    assert!(folds.len() < 200, "{} folds", folds.len());
    column.fold(&folds);
    let now = frame.head();
    assert_eq!(column.sum(&frame.range(now, 3_600)), 0);
    assert_eq!(column.sum(&frame.range(now, 86_400)), 15_000, "the day still holds what was before");
    let folds = frame.advance(now + 90_000);
    column.fold(&folds);
    assert_eq!(column.sum(&frame.range(frame.head(), 86_400)), 0);
}

#[test]
fn an_increase_is_spread_over_the_seconds_in_which_it_happened() {
    let (mut frame, mut column) = (Frame::default(), Column::default());
    step(&mut frame, &mut column, START + 20);
    column.spread(&frame, START * 1000 + 500, (START + 10) * 1000 + 500, 100);
    let at = |second: i64| column.sum(&frame.range(second, 0));
    assert_eq!(at(START), 5);
    assert_eq!(at(START + 1), 10);
    assert_eq!(at(START + 9), 10);
    assert_eq!(at(START + 10), 5);
    assert_eq!(at(START + 11), 0);
}

#[test]
fn a_busy_day_of_5000_namespaces_stays_under_40_megabytes() {
    let busy = [
        Count::AppHits,
        Count::AppMisses,
        Count::MissExpired,
        Count::MissEvicted,
        Count::MissUnknown,
        Count::Evicted,
        Count::Expired,
    ];
    let (mut frame, mut tally) = (Frame::default(), Tally::default());
    for second in START..START + 90_000 {
        let folds = frame.advance(second);
        tally.fold(&folds);
        for count in busy {
            tally.add(count, &frame, second, 50);
        }
    }
    let bytes = 5_000 * tally.heap_bytes();
    assert!(bytes < 40_000_000, "{bytes} bytes for 5,000 namespaces of {} each", tally.heap_bytes());
    assert!(Tally::default().heap_bytes() == 0, "an idle namespace costs nothing");
}

#[test]
fn a_gauge_keeps_the_last_level_of_each_slot() {
    let (mut frame, mut gauge) = (Frame::default(), Gauge::default());
    for second in START..START + 2_000 {
        let folds = frame.advance(second);
        gauge.fold(&folds);
        gauge.set(&frame, second, second as f64);
    }
    let end = (START + 2_000) * 1000;
    assert_eq!(gauge.last(&frame, end - 1000, end), Some((START + 1_999) as f64));
    assert_eq!(gauge.last(&frame, end, end + 5000), None);
}

proptest! {
    #[test]
    fn windows_add_up_whatever_is_counted_when(
        counts in prop::collection::vec((0i64..4_000, 1u64..100_000), 1..200),
    ) {
        let mut counts = counts;
        counts.sort_unstable();
        let (mut frame, mut column) = (Frame::default(), Column::default());
        let mut total = 0u64;
        for (after, amount) in counts {
            step(&mut frame, &mut column, START + after);
            column.add(&frame, START + after, amount);
            total += amount;
        }
        let now = frame.head();
        prop_assert_eq!(column.sum(&frame.range(now, 86_400)), total);
        let exact = column.between(&frame, START * 1000 - 700_000, (now + 1) * 1000);
        prop_assert!((exact - total as f64).abs() < 1e-6 * total as f64, "{} is not {}", exact, total);
        let mut narrower = 0;
        for seconds in [10, 60, 300, 900, 3_600, 86_400] {
            let sum = column.sum(&frame.range(now, seconds));
            prop_assert!(sum >= narrower, "a longer window never holds less");
            narrower = sum;
        }
    }

    #[test]
    fn what_is_spread_adds_up_to_what_was_given(
        length in 0i64..200_000, offset in 0i64..1_000, amount in 0u64..1_000_000_000,
    ) {
        let (mut frame, mut column) = (Frame::default(), Column::default());
        step(&mut frame, &mut column, START);
        step(&mut frame, &mut column, START + 300);
        let from = START * 1000 + offset;
        column.spread(&frame, from, from + length, amount);
        prop_assert_eq!(column.sum(&frame.range(START + 300, 86_400)), amount);
    }
}
