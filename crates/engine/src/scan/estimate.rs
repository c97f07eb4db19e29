//! Totals from samples, with their 95 % intervals.

/// Two-sided 95 % quantiles of Student's t by degrees of freedom, for small samples.
const STUDENT_T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// Two-sided 95 % quantile of Student's t; below one degree of freedom that of one.
pub(crate) fn student_t(freedom: f64) -> f64 {
    STUDENT_T.get((freedom - 1.0).max(0.0) as usize).copied().unwrap_or(1.96)
}

/// Sum, count and squares of what was weighed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) squares: f64,
}

/// A value with the ends of its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Interval {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Moments {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.squares += value * value;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// Total over `population` members of which these were drawn at random without replacement.
    ///
    /// N·ȳ ± t·N·√((1 − n/N)·s²/n), the expansion estimator with the finite population correction (Cochran,
    /// Sampling Techniques, 3rd ed., 2.9 and 2.12). The low end is never below what was weighed. `None` with
    /// fewer than two members weighed, unless that is all of them.
    pub(crate) fn total(&self, population: u64) -> Option<Interval> {
        let (n, size) = (self.count as f64, population as f64);
        if self.count >= population {
            return Some(Interval { value: self.sum, low: self.sum, high: self.sum });
        }
        if self.count < 2 {
            return None;
        }
        let mean = self.sum / n;
        let variance = ((self.squares - n * mean * mean) / (n - 1.0)).max(0.0);
        let t = student_t(n - 1.0);
        let half = t * size * ((1.0 - n / size) * variance / n).sqrt();
        let value = size * mean;
        Some(Interval { value, low: (value - half).max(self.sum), high: value + half })
    }
}

/// A share of `n` drawn members with its interval (Wilson 1927, which holds for shares near 0 and 1 too).
pub(crate) fn share(part: u64, n: u64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let (n, z) = (n as f64, 1.96f64);
    let value = part as f64 / n;
    let middle = (value + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (value * (1.0 - value) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Interval { value, low: (middle - half).clamp(0.0, value), high: (middle + half).clamp(value, 1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_the_textbook_estimate() {
        let mut moments = Moments::default();
        for weight in [10.0, 20.0, 30.0] {
            moments.add(weight);
        }
        let total = moments.total(100).expect("three were weighed");
        // s² = 100, n = 3, N = 100: half = 4.303 · 100 · √(0.97 · 100 / 3) = 2446.8.
        assert!((total.value - 2_000.0).abs() < 1e-9);
        assert!((total.high - 4_446.8).abs() < 0.1, "{total:?}");
        assert_eq!(total.low, 60.0, "what was weighed is there for certain");
        assert_eq!(moments.total(3), Some(Interval { value: 60.0, low: 60.0, high: 60.0 }));
        assert_eq!(Moments { count: 1, sum: 5.0, squares: 25.0 }.total(7), None);
    }

    #[test]
    fn a_share_keeps_within_0_and_1() {
        assert_eq!(share(0, 0), None);
        let none = share(0, 100).expect("a hundred were asked");
        assert_eq!((none.value, none.low), (0.0, 0.0));
        assert!((none.high - 0.037).abs() < 0.001, "{none:?}");
        let half = share(50, 100).expect("a hundred were asked");
        assert!((half.low - 0.404).abs() < 0.001 && (half.high - 0.596).abs() < 0.001, "{half:?}");
    }
}
