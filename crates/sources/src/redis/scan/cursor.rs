//! What a cursor tells about how far a scan has come.
//!
//! SCAN counts its cursor up from the highest bit of the table's mask (`dictScan` in Redis's dict.c), so that
//! growing and shrinking tables keep their order. Read backwards, the cursor is the share of the buckets that
//! were visited, whatever the size of the table. Keys lie in buckets by a keyed hash: what lies in that share
//! is a random sample of them.

/// The share of the buckets visited before this cursor, from 0 to 1; `None` for what is no cursor in use.
pub(super) fn share_visited(cursor: u64) -> Option<f64> {
    (cursor != 0).then(|| cursor.reverse_bits() as f64 / 2f64.powi(64))
}

/// How many keys a database holds after `met` of them were met in `share` of its buckets.
///
/// DBSIZE knows exactly, but counts keys that have expired and are not removed yet, which SCAN leaves out.
/// Where it lies outside of what the share allows (three standard deviations of a binomial count), the share
/// is believed.
pub(super) fn keys_in_all(met: u64, share: Option<f64>, told: u64) -> u64 {
    let Some(share) = share.filter(|share| *share > 0.0) else { return told.max(met) };
    let by_share = met as f64 / share;
    let deviation = (met as f64 * (1.0 - share)).sqrt() / share;
    let told = told.max(met);
    if (told as f64 - by_share).abs() <= 3.0 * deviation { told } else { by_share.round() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_read_backwards_is_the_share_of_the_buckets() {
        assert_eq!(share_visited(0), None);
        // A table of eight buckets is visited in the order 0 4 2 6 1 5 3 7.
        for (visited, cursor) in [4u64, 2, 6, 1, 5, 3, 7].into_iter().enumerate() {
            // A mask of three bits: the cursor that is returned has all higher bits clear.
            assert_eq!(share_visited(cursor), Some((visited + 1) as f64 / 8.0), "{cursor}");
        }
    }

    #[test]
    fn dbsize_is_believed_unless_the_share_rules_it_out() {
        assert_eq!(keys_in_all(10_000, Some(0.1), 100_500), 100_500);
        assert_eq!(keys_in_all(10_000, Some(0.1), 130_000), 100_000, "a quarter has expired unseen");
        assert_eq!(keys_in_all(10, None, 5), 10);
        assert_eq!(keys_in_all(0, Some(0.5), 7), 0, "every key met would have been an expired one");
        assert_eq!(keys_in_all(0, Some(1e-6), 7), 0);
    }
}
