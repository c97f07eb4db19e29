//! How often the keys are read now, and so how many misses more removing them would bring.

use std::collections::BTreeMap;

use cachescope_model::reading::Reading;

use crate::preview_result::NamespaceShare;

/// What a session knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reads {
    /// By a namespace's template; an empty one is what belongs to none.
    pub namespaces: BTreeMap<String, NamespaceReads>,
    /// Lookups a second of the whole deployment.
    pub all_per_second: Option<f64>,
    /// Hit rate of the whole deployment, a ratio.
    pub all_hit_rate: Option<f64>,
}

/// What a session knows of one namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct NamespaceReads {
    /// Lookups a second.
    pub lookups_per_second: Reading,
    /// Hit rate, a ratio.
    pub hit_rate: Reading,
    /// Its keys, where a scan has counted them.
    pub keys: Option<f64>,
}

/// The servers' own counters around a preview.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    /// Hits and misses before, of all servers.
    pub(crate) before: (u64, u64),
    /// The same after.
    pub(crate) after: (u64, u64),
    /// Ours among them.
    pub(crate) own: (u64, u64),
    /// Seconds in between.
    pub(crate) seconds: f64,
}

pub(crate) struct Predicted {
    pub(crate) reads: Reading,
    pub(crate) extra_misses: Reading,
    pub(crate) all_reads: Option<f64>,
}

const ASSUMED: &str = "assumes that the reads of a namespace are spread evenly over its keys";
const ASSUMED_OVER_ALL: &str = "assumes that all reads of the servers are spread evenly over all keys; watch the \
     deployment with its strategy for reads by namespace";

/// Reads a second of the keys, and the misses that each of them would become once. A namespace that is purged
/// whole takes all its reads; a part of it, the part's share of its keys.
pub(crate) fn predict(
    reads: Option<&Reads>,
    counters: &Counters,
    namespaces: &[NamespaceShare],
    keys: u64,
    all_keys: u64,
) -> Predicted {
    if keys == 0 {
        let none = || Reading::exact(0.0, "no key is reached", 0.0);
        return Predicted { reads: none(), extra_misses: none(), all_reads: Some(0.0) };
    }
    if let Some(reads) = reads
        && let Some((per_second, misses)) = by_namespace(reads, namespaces)
    {
        return Predicted { reads: per_second, extra_misses: misses, all_reads: reads.all_per_second };
    }
    let share = if all_keys == 0 { 1.0 } else { (keys as f64 / all_keys as f64).min(1.0) };
    let modelled = |value: f64, source: &'static str, seconds: f64| {
        Reading::modelled(value, ASSUMED_OVER_ALL, source, seconds)
    };
    // What the session knows comes first: it has taken out what its own sources look up meanwhile.
    if let Some((reads, all)) = reads.and_then(|reads| Some((reads, reads.all_per_second?))) {
        let of_session = |value: f64| modelled(value, "lookups of the whole deployment", 0.0);
        let extra = all * share * reads.all_hit_rate.unwrap_or(1.0);
        return Predicted {
            reads: of_session(all * share),
            extra_misses: of_session(extra),
            all_reads: Some(all),
        };
    }
    let (hits, misses) = (
        (counters.after.0 - counters.before.0.min(counters.after.0)).saturating_sub(counters.own.0),
        (counters.after.1 - counters.before.1.min(counters.after.1)).saturating_sub(counters.own.1),
    );
    let seconds = counters.seconds.max(0.001);
    let (hits, all) = (hits as f64 / seconds, (hits + misses) as f64 / seconds);
    let modelled = |value: f64| modelled(value, "the servers' counters", seconds);
    Predicted { reads: modelled(hits * share), extra_misses: modelled(hits * share), all_reads: Some(all) }
}

fn by_namespace(reads: &Reads, namespaces: &[NamespaceShare]) -> Option<(Reading, Reading)> {
    let (mut lookups, mut misses) = ([0.0; 3], [0.0; 3]);
    let mut window = f64::INFINITY;
    for share in namespaces {
        let known = reads.namespaces.get(&share.namespace)?;
        let three = |reading: &Reading| {
            let value = reading.value?;
            Some([reading.low.unwrap_or(value), value, reading.high.unwrap_or(value)])
        };
        let (per_second, hit_rate) =
            (three(&known.lookups_per_second)?, three(&known.hit_rate).unwrap_or([0.0, 1.0, 1.0]));
        let part = share_of(reads, share).unwrap_or(1.0);
        for place in 0..3 {
            lookups[place] += per_second[place] * part;
            misses[place] += per_second[place] * part * hit_rate[place];
        }
        window = window.min(known.lookups_per_second.window_seconds);
    }
    let window = if window.is_finite() { window } else { 0.0 };
    let reading = |[low, value, high]: [f64; 3]| {
        let mut reading = Reading::modelled(value, ASSUMED, "lookups by namespace", window);
        (reading.low, reading.high) = (Some(low), Some(high));
        reading
    };
    Some((reading(lookups), reading(misses)))
}

/// Which part of a namespace's keys is reached; `None` where the namespace's keys are not known.
fn share_of(reads: &Reads, share: &NamespaceShare) -> Option<f64> {
    let known = reads.namespaces.get(&share.namespace)?;
    known.keys.map(|all| if all <= 0.0 { 1.0 } else { (share.keys as f64 / all).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten lookups between the two readings of the counters, in one second.
    const COUNTERS: Counters = Counters { before: (100, 0), after: (110, 0), own: (2, 0), seconds: 1.0 };

    /// Keys of a namespace of which a session knows no reads.
    fn unknown(keys: u64) -> [NamespaceShare; 1] {
        [NamespaceShare { namespace: "cart:{id}".to_owned(), keys, protected: false }]
    }

    #[test]
    fn without_a_session_the_servers_counters_are_asked_less_our_own() {
        let found = predict(None, &COUNTERS, &unknown(50), 50, 100);
        assert_eq!((found.reads.value, found.all_reads), (Some(4.0), Some(8.0)));
    }

    #[test]
    fn a_session_that_sees_no_traffic_is_believed_and_not_the_counters_that_its_own_sources_move() {
        let reads = Reads { all_per_second: Some(0.0), ..Reads::default() };
        let found = predict(Some(&reads), &COUNTERS, &unknown(50), 50, 100);
        assert_eq!((found.reads.value, found.extra_misses.value), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn a_share_of_the_keys_takes_its_share_of_a_deployments_lookups_and_hits() {
        let reads = Reads { all_per_second: Some(200.0), all_hit_rate: Some(0.9), ..Reads::default() };
        let found = predict(Some(&reads), &COUNTERS, &unknown(25), 25, 100);
        assert_eq!((found.reads.value, found.extra_misses.value), (Some(50.0), Some(45.0)));
    }
}
