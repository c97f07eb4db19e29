//! Totals from samples, with their 95 % intervals.
//!
//! Sizes of keys are skewed: a few large ones carry much of the sum, and a sample that has none of them
//! underestimates its own error. So the interval of a mean is the widest of these:
//!
//! 1. Student's, corrected for skewness to the side of the tail (Johnson 1978).
//! 2. Where the sample is skewed: Cox's for lognormal sizes (Zhou and Gao 1997), put around the mean, with room for
//!    a few keys as large as the largest.
//! 3. Where the sample is small: with room for keys of another kind that it may have none of. Of `n` drawn keys,
//!    a kind that is less than `3 / n` of all is missing by chance more often than in one of twenty samples
//!    (the rule of three, Hanley and Lippman-Hand 1983).

/// Two-sided 95 % quantiles of Student's t by degrees of freedom, for small samples.
const STUDENT_T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// Two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.96;
/// A mean of fewer than this says nothing of its error, unless they are all.
pub(crate) const LEAST_WEIGHED: u64 = 8;
/// Samples more skewed than this may have a long tail that they don't show.
const SKEWED: f64 = 0.8;
/// So many more keys as large as the largest may have been missed, in samples that are skewed.
const MISSED: f64 = 2.0;
/// Samples smaller than this may have none of a kind of keys that is one in fifty.
const SMALL: u64 = 150;
/// Such keys may be so many times as large as the others: pages beside the fragments they are made of.
const OTHER_KIND: f64 = 25.0;

/// Two-sided 95 % quantile of Student's t; below one degree of freedom that of one.
pub(crate) fn student_t(freedom: f64) -> f64 {
    STUDENT_T.get((freedom - 1.0).max(0.0) as usize).copied().unwrap_or(Z)
}

/// Sums of what was weighed and of its powers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    squares: f64,
    cubes: f64,
    logs: f64,
    log_squares: f64,
    largest: f64,
}

/// A value with the ends of its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Interval {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Interval {
    pub(crate) fn exact(value: f64) -> Self {
        Self { value, low: value, high: value }
    }

    pub(crate) fn half(&self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// The sum of two that err independently: their errors add up as squares do.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let value = self.value + other.value;
        let down = (self.value - self.low).hypot(other.value - other.low);
        let up = (self.high - self.value).hypot(other.high - other.value);
        Self { value, low: value - down, high: value + up }
    }

    /// The product of two that err independently, to first order.
    pub(crate) fn times(&self, other: &Self) -> Self {
        let value = self.value * other.value;
        let down = ((self.value - self.low) * other.value).hypot(self.value * (other.value - other.low));
        let up = ((self.high - self.value) * other.value).hypot(self.value * (other.high - other.value));
        Self { value, low: value - down, high: value + up }
    }
}

impl Moments {
    pub(crate) fn add(&mut self, value: f64) {
        let log = value.max(1.0).ln();
        self.count += 1;
        self.sum += value;
        self.squares += value * value;
        self.cubes += value * value * value;
        self.logs += log;
        self.log_squares += log * log;
        self.largest = self.largest.max(value);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
        self.cubes += other.cubes;
        self.logs += other.logs;
        self.log_squares += other.log_squares;
        self.largest = self.largest.max(other.largest);
    }

    /// The mean of `population` members of which these were drawn at random without replacement, with the
    /// finite population correction (Cochran, Sampling Techniques, 3rd ed., 2.9 and 2.12). `None` with fewer
    /// than [`LEAST_WEIGHED`], unless that is all of them.
    pub(crate) fn mean(&self, population: f64) -> Option<Interval> {
        let all = self.count as f64 >= population;
        if all || self.count >= LEAST_WEIGHED { self.mean_of_any(population) } else { None }
    }

    /// The same of however few: their interval is so wide that it only says what is possible at all. `None`
    /// without any.
    pub(crate) fn mean_of_any(&self, population: f64) -> Option<Interval> {
        if self.count == 0 {
            return None;
        }
        let n = self.count as f64;
        let mean = self.sum / n;
        if n >= population {
            return Some(Interval::exact(mean));
        }
        let variance = ((self.squares - n * mean * mean) / (n - 1.0).max(1.0)).max(0.0);
        let left = (1.0 - n / population).max(0.0).sqrt();
        let unseen = if self.count < SMALL { (3.0 / n).min(1.0) * left } else { 0.0 };
        let (mut down, mut up) = (mean * unseen, mean * unseen * OTHER_KIND);
        if variance > mean * mean * 1e-12 {
            let error = (variance / n).sqrt() * left;
            let t = student_t(n - 1.0);
            let third = self.cubes / n - 3.0 * mean * self.squares / n + 2.0 * mean.powi(3);
            let skew = third / variance.powf(1.5);
            let shift = error * skew * (1.0 + 2.0 * t * t) / (6.0 * n.sqrt());
            down = down.max(t * error + (-shift).max(0.0));
            up = up.max(t * error + shift.max(0.0));
            if skew > SKEWED {
                let log_mean = self.logs / n;
                let log_variance = ((self.log_squares - n * log_mean * log_mean) / (n - 1.0)).max(0.0);
                let spread = log_variance / n + log_variance * log_variance / (2.0 * (n - 1.0));
                let log_half = (t * spread.sqrt() * left).min(20.0);
                down = down.max(mean * -(-log_half).exp_m1());
                up = up.max(mean * log_half.exp_m1()) + MISSED * self.largest / n * left;
            }
        }
        Some(Interval { value: mean, low: (mean - down).max(0.0), high: mean + up })
    }
}

/// How many there are in all, of `met` in a `share` of the buckets: a binomial count (Wilson's interval with
/// the part that is left unseen).
pub(crate) fn scaled_up(met: u64, share: f64) -> Interval {
    let met = met as f64;
    if share >= 1.0 || share <= 0.0 {
        return Interval::exact(met);
    }
    let left = 1.0 - share;
    let root = Z * (met * left + Z * Z * left * left / 4.0).sqrt();
    let shift = Z * Z * left / 2.0;
    let value = met / share;
    Interval { value, low: (value - (root - shift) / share).max(met), high: value + (root + shift) / share }
}

/// A share of `n` drawn members with its interval (Wilson 1927, which holds for shares near 0 and 1 too).
pub(crate) fn share(part: u64, n: u64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let n = n as f64;
    let value = part as f64 / n;
    let middle = (value + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (value * (1.0 - value) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some(Interval { value, low: (middle - half).clamp(0.0, value), high: (middle + half).clamp(value, 1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reproducible numbers from 0 to 1 (SplitMix64).
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }

        fn normal(&mut self) -> f64 {
            (-2.0 * self.next().max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
        }
    }

    #[test]
    fn a_mean_is_the_textbook_estimate_where_sizes_are_even() {
        let mut moments = Moments::default();
        for number in 0..200 {
            moments.add(if number % 2 == 0 { 100.0 } else { 200.0 });
        }
        let mean = moments.mean(2_000.0).expect("two hundred were weighed");
        // s² = 2512.56, n = 200, N = 2000: half = 1.96 · √(0.9 · 12.5628) = 6.590.
        assert!((mean.value - 150.0).abs() < 1e-9 && (mean.half() - 6.590).abs() < 0.001, "{mean:?}");
        assert_eq!(moments.mean(200.0).map(|mean| mean.half()), Some(0.0));
        let mut few = Moments::default();
        few.add(5.0);
        assert_eq!(few.mean(7.0), None);
        assert_eq!(few.mean(1.0), Some(Interval::exact(5.0)));
    }

    #[test]
    fn a_few_equal_keys_do_not_rule_out_others() {
        let equal = |count: u64| {
            let mut moments = Moments::default();
            (0..count).for_each(|_| moments.add(100.0));
            moments.mean(1e6).expect("enough were weighed")
        };
        let few = equal(30);
        // 3 ÷ 30 of them may weigh nothing, or 25 times as much.
        assert!((few.low - 90.0).abs() < 0.1 && (few.high - 350.0).abs() < 0.1, "{few:?}");
        assert_eq!(equal(1_000), Interval::exact(100.0));
        let mut lone = Moments::default();
        lone.add(100.0);
        let lone = lone.mean_of_any(1e6).expect("one was weighed");
        assert!(lone.low < 1.0 && (lone.high - 2_600.0).abs() < 1.0, "{lone:?}");
    }

    #[test]
    fn ninety_five_in_a_hundred_intervals_hold_the_truth_whatever_the_spread_of_sizes() {
        let mut numbers = Numbers(7);
        type Size = fn(&mut Numbers) -> f64;
        let sizes: [(&str, Size); 9] = [
            ("even", |n| 50.0 + 450.0 * n.next()),
            ("lognormal 0.5", |n| 300.0 * (0.5 * n.normal()).exp()),
            ("lognormal 1", |n| 300.0 * n.normal().exp()),
            ("lognormal 1.5", |n| 300.0 * (1.5 * n.normal()).exp()),
            ("lognormal 2", |n| 300.0 * (2.0 * n.normal()).exp()),
            ("pareto 2.5", |n| 100.0 * n.next().max(1e-12).powf(-0.4)),
            ("one in two is large", |n| if n.next() < 0.5 { 1_000.0 } else { 200.0 }),
            ("one in twenty is large", |n| if n.next() < 0.05 { 5_000.0 } else { 200.0 }),
            ("one in twenty is small", |n| if n.next() < 0.05 { 200.0 } else { 5_000.0 }),
        ];
        const DRAWS: u32 = 2_000;
        for (name, size) in sizes {
            for drawn in [50, 200, 1_000] {
                let mut held = 0;
                let (mut all, mut truth) = (Vec::new(), 0.0);
                for draw in 0..DRAWS {
                    if draw % 100 == 0 {
                        all = (0..20_000).map(|_| size(&mut numbers)).collect();
                        truth = all.iter().sum::<f64>() / all.len() as f64;
                    }
                    let mut moments = Moments::default();
                    for _ in 0..drawn {
                        moments.add(all[(numbers.next() * all.len() as f64) as usize]);
                    }
                    let mean = moments.mean(all.len() as f64).expect("enough were weighed");
                    held += u32::from(mean.low <= truth && truth <= mean.high);
                }
                let held = f64::from(held) / f64::from(DRAWS);
                // Two thousand draws of a 95 % interval hold the truth in 94 to 96 %.
                assert!(held >= 0.93, "{name}, {drawn} drawn: {held}");
            }
        }
    }

    #[test]
    fn what_was_met_in_a_share_is_scaled_up() {
        let some = scaled_up(1_000, 0.1);
        assert_eq!(some.value, 10_000.0);
        // 1.96 · √(1000 · 0.9) ÷ 0.1 = 588.
        assert!((some.half() - 588.0).abs() < 2.0, "{some:?}");
        assert_eq!(scaled_up(7, 1.0), Interval::exact(7.0));
        let none = scaled_up(0, 0.5);
        assert!(none.low == 0.0 && none.high > 3.0, "{none:?}");
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
