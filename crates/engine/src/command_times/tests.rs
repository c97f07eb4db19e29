use super::*;
use crate::window::{Frame, total};

fn latency(command: &str, own: u64, buckets: &[(u64, u64)]) -> CommandLatency {
    CommandLatency {
        command: command.into(),
        calls: buckets.last().map_or(0, |(_, calls)| *calls),
        own,
        buckets: buckets.to_vec(),
    }
}

#[test]
fn bounds_as_redis_reports_them_are_powers_of_two_of_1024_nanoseconds() {
    let bounds = [1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908, 33816, 67633, 135266];
    for (bucket, bound) in bounds.into_iter().enumerate() {
        let (_, read) = cumulative(&latency("get", 0, &[(bound, 1)])).expect("GET reads");
        assert_eq!(read.buckets, [(bucket as u16, 1)], "{bound}");
    }
}

#[test]
fn increases_are_counted_and_whatever_goes_back_is_a_gap() {
    let mut frame = Frame::default();
    frame.advance(1_000);
    frame.advance(1_040);
    let range = frame.range(1_040, 60);
    let steps: [(&str, Vec<CommandLatency>, [f64; 2]); 9] = [
        ("a baseline", vec![latency("get", 0, &[(1, 100), (8, 110)])], [0.0, 0.0]),
        (
            "a bucket that was left out while it was empty",
            vec![latency("get", 0, &[(1, 100), (2, 105), (8, 115)])],
            [5.0, 0.0],
        ),
        (
            "another command",
            vec![latency("get", 0, &[(1, 100), (2, 105), (8, 115)]), latency("mget", 0, &[(33, 3)])],
            [5.0, 3.0],
        ),
        (
            "our own",
            vec![latency("get", 4, &[(1, 104), (2, 109), (8, 119)]), latency("mget", 0, &[(33, 3)])],
            [5.0, 3.0],
        ),
        ("a reset", vec![latency("get", 4, &[(1, 3)])], [5.0, 3.0]),
        ("and on", vec![latency("get", 4, &[(1, 5)])], [7.0, 3.0]),
        ("nothing", vec![], [7.0, 3.0]),
        ("our own calls since the reset are not told", vec![latency("get", 4, &[(1, 2)])], [7.0, 3.0]),
        ("from there on", vec![latency("get", 5, &[(1, 5)])], [9.0, 3.0]),
    ];
    let mut times = CommandTimes::default();
    for (second, (what, seen, expected)) in steps.into_iter().enumerate() {
        times.observe(&frame, 0, 1_000_000 + second as i64 * 5_000, &seen);
        let counts = times.counts(&range);
        let found = [0, 1].map(|command| total(&counts[command]));
        assert_eq!(found, expected, "{what}: {counts:?}");
    }
}

#[test]
fn of_calls_that_are_all_ours_nothing_is_left() {
    let grown = vec![(0, 7), (1, 2), (5, 1)];
    assert_eq!(without(grown.clone(), 10), [(0, 0), (1, 0), (5, 0)]);
    assert_eq!(without(grown.clone(), 99), [(0, 0), (1, 0), (5, 0)]);
    assert_eq!(without(grown.clone(), 0), grown);
    let half = without(vec![(0, 500), (1, 500)], 500);
    assert_eq!(half, [(0, 250), (1, 250)]);
}
