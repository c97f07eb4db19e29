//! Between which two samples, in order, a quantile lies.

/// Above this many expected on the thinner side the binomial is as good as normal.
const NORMAL_FROM: f64 = 50.0;

/// Ranks (from 1) of the samples that enclose a quantile in 95 of 100 cases. The number of samples below the true
/// quantile is binomial, whatever the distribution (David and Nagaraja, *Order Statistics*, 3rd ed., section 7.1).
/// No upper rank where even the largest sample may well be below it.
pub(super) fn interval_ranks(samples: u64, quantile: f64) -> (u64, Option<u64>) {
    let n = samples as f64;
    let thinner = n * quantile.min(1.0 - quantile);
    let (low, high) = if thinner >= NORMAL_FROM {
        let spread = 1.96 * (n * quantile * (1.0 - quantile)).sqrt();
        ((n * quantile - spread).floor(), (n * quantile + spread).ceil() + 1.0)
    } else {
        binomial(samples, quantile)
    };
    let high = Some(high as u64).filter(|high| *high <= samples);
    ((low.max(1.0)) as u64, high)
}

/// The 2.5 % and 97.5 % points of the binomial as ranks, by adding up its terms on the thinner side.
fn binomial(samples: u64, quantile: f64) -> (f64, f64) {
    // Counted from the thin end, the terms that matter are few: at most about 50 ± 5 standard deviations.
    let thin = quantile.min(1.0 - quantile);
    let n = samples as f64;
    let mut term = (n * (1.0 - thin).ln()).exp();
    let (mut sum, mut few, mut many) = (0.0, None, n);
    for count in 0..=samples {
        sum += term;
        if sum > 0.025 && few.is_none() {
            few = Some(count as f64);
        }
        if sum >= 0.975 {
            many = count as f64;
            break;
        }
        term *= (n - count as f64) / (count as f64 + 1.0) * thin / (1.0 - thin);
    }
    let few = few.unwrap_or(0.0);
    if quantile <= 0.5 { (few, many + 1.0) } else { (n - many, n - few + 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_binomial() {
        // Binomial(100, 0.5): 40 and 60 are its 2.5 % and 97.5 % points; Binomial(1000, 0.01): 4 and 17.
        for (samples, quantile, low, high) in [
            (100, 0.5, 40, Some(61)),
            (1_000, 0.99, 983, Some(997)),
            (100, 0.99, 97, None),
            (0, 0.99, 1, None),
        ] {
            assert_eq!(interval_ranks(samples, quantile), (low, high), "{samples} {quantile}");
        }
        let (low, high) = interval_ranks(100_000, 0.99);
        assert!((98_930..98_950).contains(&low) && high.is_some_and(|high| (99_050..99_070).contains(&high)));
    }

    #[test]
    fn the_interval_holds_the_true_quantile_at_least_ninety_five_times_of_a_hundred() {
        // Ranks of uniform samples: the true quantile is the quantile itself.
        let mut state = 42u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        for (samples, quantile) in [(60, 0.5), (400, 0.95), (1_500, 0.99)] {
            let mut inside = 0;
            for _ in 0..400 {
                let mut drawn: Vec<f64> = (0..samples).map(|_| uniform()).collect();
                drawn.sort_by(f64::total_cmp);
                let (low, high) = interval_ranks(samples as u64, quantile);
                let above_low = drawn[low as usize - 1] <= quantile;
                let below_high = high.is_none_or(|high| drawn[high as usize - 1] >= quantile);
                inside += u32::from(above_low && below_high);
            }
            assert!(inside >= 370, "{inside} of 400 for {samples} and {quantile}");
        }
    }
}
