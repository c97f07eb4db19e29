//! Intervals for totals of sampled counts.

use crate::scan::{Interval, student_t};

/// Two-sided 95 % quantile of the normal distribution.
pub(crate) const Z95: f64 = 1.96;

/// The 95 % interval of a weighted sum of counts with this variance.
///
/// The sum is taken to be spread as a scaled Poisson count with the same mean and variance, so its ends follow
/// from a gamma distribution: lopsided, never below 0, and right for a count of 0, for which the upper end is
/// the "rule of three" times `weight` (Fay and Feuer 1997, Statistics in Medicine 16:791; quantiles by Wilson
/// and Hilferty 1931). `weight` is what one more sampled count would have added; `freedom` the degrees of
/// freedom behind the variance.
pub(crate) fn of_total(total: f64, variance: f64, weight: f64, freedom: f64) -> Interval {
    let total = total.max(0.0);
    let z = student_t(freedom);
    let low = if total > 0.0 && variance > 0.0 {
        let shape = total * total / variance;
        variance / total * gamma_quantile(shape, -z)
    } else {
        total
    };
    let (raised, spread) = (total + weight, variance + weight * weight);
    let high = if raised > 0.0 && spread > 0.0 {
        spread / raised * gamma_quantile(raised * raised / spread, z)
    } else {
        total
    };
    Interval { value: total, low: low.min(total), high: high.max(total) }
}

/// Quantile of a gamma distribution of this shape and scale 1, by the normal quantile `z`.
fn gamma_quantile(shape: f64, z: f64) -> f64 {
    let root = 1.0 - 1.0 / (9.0 * shape) + z / (3.0 * shape.sqrt());
    shape * root.max(0.0).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_count_has_the_exact_poisson_interval() {
        // Garwood 1936.
        for (count, low, high) in [
            (0.0, 0.0, 3.69),
            (1.0, 0.025, 5.57),
            (4.0, 1.09, 10.24),
            (10.0, 4.80, 18.39),
            (100.0, 81.4, 121.6),
        ] {
            let found = of_total(count, count, 1.0, 1e6);
            assert!((found.low - low).abs() < 0.02 + 0.005 * low, "{count}: {found:?}");
            assert!((found.high - high).abs() < 0.05 + 0.005 * high, "{count}: {found:?}");
        }
    }

    #[test]
    fn a_complete_count_has_no_interval() {
        assert_eq!(of_total(7.0, 0.0, 0.0, 10.0), Interval { value: 7.0, low: 7.0, high: 7.0 });
    }

    #[test]
    fn few_degrees_of_freedom_widen() {
        let (many, few) = (of_total(1e4, 1e4, 1.0, 500.0), of_total(1e4, 1e4, 1.0, 3.0));
        assert!(few.high - few.low > 1.5 * (many.high - many.low), "{few:?} {many:?}");
    }
}
