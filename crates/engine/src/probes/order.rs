//! Intervals of quantiles from order statistics.

/// With fewer round trips no quantile is told: half of them on either side of the median; for a higher one, one
/// beyond it is to be expected.
pub(crate) fn least_samples(quantile: f64) -> f64 {
    if quantile <= 0.5 { 6.0 } else { (1.0 / (1.0 - quantile)).round() }
}

/// Ranks, from 1 on, between which the quantile of what `samples` were drawn from lies in 95 of 100 cases; `None`
/// for an end beyond which too few were drawn to tell.
///
/// The number of samples below a quantile q is binomial (n, q), whatever the distribution: the lower rank is the
/// largest r with P(B < r) ≤ 2.5 %, the upper one the smallest s with P(B ≥ s) ≤ 2.5 % (David & Nagaraja, Order
/// Statistics, 3rd ed., 7.1).
pub(crate) fn bounds_of(quantile: f64, samples: u64) -> (Option<u64>, Option<u64>) {
    const TAIL: f64 = 0.025;
    let n = samples as f64;
    // Probabilities by their logarithms: 0.5 to the power of 10,000 is no number.
    let (ln_q, ln_p) = (quantile.ln(), (1.0 - quantile).ln());
    let mut ln_term = n * ln_p;
    let mut below = 0.0;
    let (mut low, mut high) = (None, None);
    for count in 0..=samples {
        if below <= TAIL && count > 0 {
            low = Some(count);
        }
        if below >= 1.0 - TAIL {
            high = Some(count);
            break;
        }
        below += ln_term.exp();
        ln_term += ((n - count as f64) / (count as f64 + 1.0)).ln() + ln_q - ln_p;
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_tables() {
        // Tables of distribution-free intervals for the median: n = 6: 1 to 6, n = 10: 2 to 9, n = 20: 6 to 15.
        for (samples, low, high) in [(6, 1, 6), (10, 2, 9), (20, 6, 15)] {
            assert_eq!(bounds_of(0.5, samples), (Some(low), Some(high)), "{samples}");
        }
        assert_eq!(bounds_of(0.5, 5).1, None, "0.5 to the power of 5 is more than 2.5 %");
        assert_eq!(bounds_of(0.99, 367).1, None);
        assert_eq!(bounds_of(0.99, 368).1, Some(368), "0.99 to the power of 368 is less than 2.5 %");
        let (low, high) = bounds_of(0.5, 100_000);
        // Normal approximation: 50,000 ± 1.96 · √25,000.
        assert!(low.is_some_and(|low| low.abs_diff(49_690) < 3), "{low:?}");
        assert!(high.is_some_and(|high| high.abs_diff(50_311) < 3), "{high:?}");
    }
}
