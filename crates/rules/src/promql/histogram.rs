//! From a histogram's buckets to a quantile.

/// The quantile of cumulative buckets (upper bound and count), linear within a bucket, as Prometheus computes it.
/// NaN without the bucket of infinity, without observations and with a single bucket.
pub(super) fn quantile(quantile: f64, mut buckets: Vec<(f64, f64)>) -> f64 {
    if quantile.is_nan() {
        return f64::NAN;
    }
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    if buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
        return f64::NAN;
    }
    let mut buckets = coalesced(buckets);
    monotonic(&mut buckets);
    let last = buckets.len() - 1;
    if last == 0 {
        return f64::NAN;
    }
    let observations = buckets[last].1;
    if observations == 0.0 {
        return f64::NAN;
    }
    let mut rank = quantile * observations;
    // As a binary search finds it: with NaN among the counts a scan would find another one.
    let place = buckets[..last].partition_point(|(_, count)| !at_least(*count, rank));
    if place == last {
        return buckets[last - 1].0;
    }
    let (end, mut count) = buckets[place];
    if place == 0 && end <= 0.0 {
        return end;
    }
    let mut start = 0.0;
    if place > 0 {
        start = buckets[place - 1].0;
        count -= buckets[place - 1].1;
        rank -= buckets[place - 1].1;
    }
    start + (end - start) * (rank / count)
}

fn at_least(count: f64, rank: f64) -> bool {
    count >= rank
}

/// Buckets of one bound count as one.
fn coalesced(buckets: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut merged: Vec<(f64, f64)> = Vec::with_capacity(buckets.len());
    for (bound, count) in buckets {
        match merged.last_mut() {
            Some(last) if last.0 == bound => last.1 += count,
            _ => merged.push((bound, count)),
        }
    }
    merged
}

/// Counts never fall, though buckets were scraped at slightly different times.
fn monotonic(buckets: &mut [(f64, f64)]) {
    let Some((_, mut most)) = buckets.first().copied() else { return };
    for (_, count) in &mut buckets[1..] {
        if *count > most {
            most = *count;
        } else if *count < most {
            *count = most;
        }
    }
}
