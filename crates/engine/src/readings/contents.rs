//! What the last complete scan found in a namespace beside its readings.

use cachescope_model::contents::{BigKey, KindCount, NamespaceContents, Quantiles};
use cachescope_model::scan::Ttl;
use cachescope_model::time::Timestamp;

use crate::engine::Engine;
use crate::scan::{Big, Spread, Words};

impl Engine {
    /// Kinds of keys, idle times and the biggest keys of a namespace, by its template; the empty one is the
    /// remainder. `None` where there is no such namespace, or no scan yet.
    #[must_use]
    pub fn contents(&self, namespace: &str) -> Option<NamespaceContents> {
        let complete = self.scans.complete?;
        let found = self.rows.get(self.rows.find(namespace)?).scanned.as_deref()?;
        Some(NamespaceContents {
            scanned_at: Timestamp(complete.at_ms),
            met: found.met,
            weighed: found.weighed,
            asked: found.asked,
            types: counts(&found.contents.kinds),
            encodings: counts(&found.contents.encodings),
            idle_seconds: quantiles(&found.contents.idle),
            ttl_seconds: quantiles(&found.ttls),
            biggest: found.contents.biggest.iter().map(|big| self.big_key(namespace, big)).collect(),
        })
    }
}

fn counts(words: &Words) -> Vec<KindCount> {
    let mut counts: Vec<_> =
        words.iter().map(|(name, keys)| KindCount { name: name.to_string(), keys: *keys }).collect();
    counts.sort_by(|one, other| other.keys.cmp(&one.keys).then_with(|| one.name.cmp(&other.name)));
    counts
}

fn quantiles(spread: &Spread) -> Option<Quantiles> {
    let at = |quantile| spread.quantile(quantile).map(|seconds| seconds.value);
    Some(Quantiles { p10: at(0.1)?, p50: at(0.5)?, p90: at(0.9)?, p99: at(0.99)? })
}

impl Engine {
    fn big_key(&self, namespace: &str, big: &Big) -> BigKey {
        let mut key = self.shown_key(big.database, &big.name);
        if big.cut > 0 {
            // What is cut off may be what tells where a masked field lies.
            if self.masked(namespace).is_some_and(|fields| !fields.is_empty()) {
                key = "‹masked›".to_owned();
            }
            key.push_str(&format!("… ({} more bytes)", big.cut));
        }
        shown(key, big)
    }

    /// The fields whose values nobody may see.
    pub(super) fn masked(&self, namespace: &str) -> Option<&[String]> {
        let documented = self.strategy.namespaces.iter().find(|it| it.template.as_str() == namespace)?;
        Some(&documented.facts.masked)
    }
}

fn shown(key: String, big: &Big) -> BigKey {
    BigKey {
        key,
        database: big.database,
        bytes: big.bytes,
        estimated: big.partly_weighed,
        kind: big.kind.as_deref().map(str::to_owned),
        ttl_seconds: match big.ttl {
            Some(Ttl::Millis(millis)) => Some(millis as f64 / 1000.0),
            _ => None,
        },
        expires: big.ttl.map(|ttl| ttl != Ttl::None),
    }
}
