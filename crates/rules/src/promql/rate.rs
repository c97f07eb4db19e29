//! From a counter's samples to its increase.

/// The increase of a counter from `from` to `to` (milliseconds), per second where asked, as Prometheus extrapolates
/// it: what the samples show, resets added, scaled from the time they cover to the range, as far as it is likely
/// that the series goes on to the range's ends. `None` with fewer than two samples.
pub(super) fn extrapolated(samples: &[(i64, f64)], from: i64, to: i64, per_second: bool) -> Option<f64> {
    let [(first_at, first), .., (last_at, last)] = *samples else { return None };
    let seconds = |millis: i64| millis as f64 / 1000.0;
    let mut increase = last - first;
    for pair in samples.windows(2) {
        if pair[1].1 < pair[0].1 {
            increase += pair[0].1;
        }
    }
    let mut to_start = seconds(first_at - from);
    let to_end = seconds(to - last_at);
    let covered = seconds(last_at - first_at);
    let between = covered / (samples.len() - 1) as f64;
    if increase > 0.0 && first >= 0.0 {
        // A counter begins at zero: it is not extrapolated to before that.
        let to_zero = covered * (first / increase);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    let near = between * 1.1;
    let mut extended = covered;
    for gap in [to_start, to_end] {
        extended += if gap < near { gap } else { between / 2.0 };
    }
    let mut factor = extended / covered;
    if per_second {
        factor /= seconds(to - from);
    }
    Some(increase * factor)
}
