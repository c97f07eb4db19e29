//! Times to live in logarithmic buckets: quantiles within 4.5 % at 8 bytes a bucket in use.

use super::estimate::Interval;

/// Buckets an octave.
const PER_OCTAVE: f64 = 16.0;

/// Counts by bucket, sorted by bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct TtlSketch {
    buckets: Vec<(u16, u32)>,
}

fn bound_seconds(bucket: u16) -> f64 {
    ((f64::from(bucket) / PER_OCTAVE).exp2() - 1.0) / 1000.0
}

impl TtlSketch {
    pub(crate) fn add(&mut self, millis: u64) {
        let bucket = ((millis as f64 + 1.0).log2() * PER_OCTAVE) as u16;
        self.add_count(bucket, 1);
    }

    fn add_count(&mut self, bucket: u16, count: u32) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => self.buckets[place].1 = self.buckets[place].1.saturating_add(count),
            Err(place) => self.buckets.insert(place, (bucket, count)),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            self.add_count(*bucket, *count);
        }
    }

    /// The median in seconds with its bucket's bounds; `None` without any.
    pub(crate) fn median(&self) -> Option<Interval> {
        let total: u64 = self.buckets.iter().map(|(_, count)| u64::from(*count)).sum();
        let mut below = 0;
        for (bucket, count) in &self.buckets {
            below += u64::from(*count);
            if below * 2 >= total && total > 0 {
                let (low, high) = (bound_seconds(*bucket), bound_seconds(bucket.saturating_add(1)));
                return Some(Interval { value: (low + high) / 2.0, low, high });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_within_its_bucket() {
        let mut sketch = TtlSketch::default();
        assert_eq!(sketch.median(), None);
        for seconds in 1..=301u64 {
            sketch.add(seconds * 1000);
        }
        let median = sketch.median().expect("there are some");
        assert!(median.low <= 151.0 && 151.0 <= median.high, "{median:?}");
        assert!((median.value - 151.0).abs() < 151.0 * 0.045, "{median:?}");
        sketch.add(u64::MAX);
        sketch.add(0);
        assert!(sketch.median().is_some());
    }
}
