//! One row's share of what a few bursts saw, and how far off it may be.

/// Sums over bursts of what was counted for everything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) sum: f64,
    pub(crate) squares: f64,
}

impl Totals {
    pub(crate) fn add(&mut self, count: f64) {
        self.sum += count;
        self.squares += count * count;
    }
}

/// Sums over bursts of what was counted for one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Part {
    pub(crate) sum: f64,
    squares: f64,
    /// Products with the burst's total.
    cross: f64,
}

impl Part {
    pub(crate) fn add(&mut self, count: f64, of: f64) {
        self.sum += count;
        self.squares += count * count;
        self.cross += count * of;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.squares += other.squares;
        self.cross += other.cross;
    }
}

/// A row's part of a known total, with two answers to how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Shared {
    pub(crate) value: f64,
    /// From the differences between bursts: right also where lookups come in runs.
    pub(crate) variance: f64,
    /// As if every lookup had been drawn on its own: what the other one scatters around where they do not.
    pub(crate) binomial: f64,
}

/// How a known total is divided by a sample in bursts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Division {
    /// The known total.
    pub(crate) total: f64,
    /// What was seen of it.
    pub(crate) seen: Totals,
    pub(crate) bursts: f64,
    /// Share of the stretch that was not sampled: the finite population correction.
    pub(crate) unseen: f64,
}

impl Division {
    /// What one sampled count stands for.
    pub(crate) fn weight(&self) -> f64 {
        if self.seen.sum > 0.0 { self.total / self.seen.sum } else { 0.0 }
    }

    /// The ratio estimator over clusters (Cochran, Sampling Techniques, 3rd ed., 6.4 and 9A.1): total · Σx/Σn
    /// with the variance of the residuals x − (Σx/Σn)·n between bursts.
    pub(crate) fn part(&self, part: &Part) -> Shared {
        if self.seen.sum <= 0.0 {
            return Shared::default();
        }
        let (weight, share) = (self.weight(), part.sum / self.seen.sum);
        let binomial = weight * weight * self.unseen * part.sum * (1.0 - share).max(0.0);
        let residuals = part.squares - 2.0 * share * part.cross + share * share * self.seen.squares;
        let variance = if self.bursts >= 2.0 {
            weight * weight * self.unseen * self.bursts / (self.bursts - 1.0) * residuals.max(0.0)
        } else {
            binomial
        };
        Shared { value: weight * part.sum, variance, binomial }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_row_raise_the_variance_between_bursts_alone() {
        // Two rows share every lookup equally: in one case mixed, in the other burst by burst.
        let division = |bursts: &[f64]| {
            let (mut seen, mut part) = (Totals::default(), Part::default());
            for count in bursts {
                seen.add(10.0);
                part.add(*count, 10.0);
            }
            Division { total: 400.0, seen, bursts: bursts.len() as f64, unseen: 0.9 }.part(&part)
        };
        let (mixed, runs) = (division(&[5.0, 4.0, 6.0, 5.0]), division(&[10.0, 0.0, 0.0, 10.0]));
        assert_eq!((mixed.value, runs.value), (200.0, 200.0));
        assert_eq!(mixed.binomial, runs.binomial);
        assert!(runs.variance > 9.0 * runs.binomial && mixed.variance < mixed.binomial, "{mixed:?} {runs:?}");
    }

    #[test]
    fn what_was_seen_completely_is_certain() {
        let (mut seen, mut part) = (Totals::default(), Part::default());
        for count in [3.0, 8.0] {
            seen.add(10.0);
            part.add(count, 10.0);
        }
        let shared = Division { total: 20.0, seen, bursts: 2.0, unseen: 0.0 }.part(&part);
        assert_eq!(shared, Shared { value: 11.0, variance: 0.0, binomial: 0.0 });
    }
}
