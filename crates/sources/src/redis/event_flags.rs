//! The letters of `notify-keyspace-events`: what they switch on, and how to add what is missing.

use cachescope_model::observation::EventChannels;

/// What Cachescope wants: keyevent messages (`E`) of misses, expirations and evictions. Deletions (`g`) and
/// additions (`n`) are taken where they are on.
const WANTED: [(char, &str); 4] =
    [('E', "keyevent messages"), ('m', "misses"), ('x', "expirations"), ('e', "evictions")];

/// What tells causes of misses apart as well: deletions and additions. A server before 7.0 refuses the whole
/// setting for an `n`.
const FOR_CAUSES: [char; 2] = ['g', 'n'];

/// The flags that the alias `A` stands for (`m` and `n` are not among them).
pub(super) const ALIAS_A: &str = "g$lshzxetd";

/// The setting as the server tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventFlags(String);

impl EventFlags {
    pub(super) fn new(setting: &str) -> Self {
        Self(setting.to_owned())
    }

    fn has(&self, flag: char) -> bool {
        self.0.contains(flag) || (self.0.contains('A') && ALIAS_A.contains(flag))
    }

    /// Which kinds of events arrive.
    pub(super) fn channels(&self) -> EventChannels {
        let on = |flag| Some(self.has('E') && self.has(flag));
        EventChannels {
            misses: on('m'),
            evictions: on('e'),
            expirations: on('x'),
            deletions: on('g'),
            additions: on('n'),
        }
    }

    /// What is not announced of what Cachescope wants, in words; `None` where nothing is missing.
    pub(super) fn missing(&self) -> Option<String> {
        if !self.has('E') {
            return Some("misses, expirations and evictions".to_owned());
        }
        let missing: Vec<_> =
            WANTED.iter().filter(|(flag, _)| !self.has(*flag)).map(|(_, word)| *word).collect();
        match missing.as_slice() {
            [] => None,
            [one] => Some((*one).to_owned()),
            [first @ .., last] => Some(format!("{} and {last}", first.join(", "))),
        }
    }

    /// The setting with what is missing added and nothing taken away.
    pub(super) fn merged(&self) -> String {
        let mut merged = self.0.clone();
        merged.extend(WANTED.iter().map(|(flag, _)| *flag).filter(|flag| !self.has(*flag)));
        merged
    }

    /// The setting with everything added that Cachescope can use on this server.
    pub(super) fn merged_for_causes(&self, tells_additions: bool) -> String {
        let mut merged = self.merged();
        let known = Self(merged.clone());
        // Redis 7.0 leaves an `n` out of what it tells where the alias `A` covers the others: what can't be read
        // back can't be put back.
        let told = tells_additions && !ALIAS_A.chars().all(|flag| known.has(flag));
        merged.extend(FOR_CAUSES.into_iter().filter(|flag| !known.has(*flag) && (*flag != 'n' || told)));
        merged
    }

    /// The line that switches on what is missing.
    pub(super) fn remedy(&self) -> String {
        format!("CONFIG SET notify-keyspace-events {}", self.merged())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_say_what_arrives_and_how_to_add_the_rest() {
        for (setting, misses, evictions, additions, missing, merged) in [
            ("", false, false, false, Some("misses, expirations and evictions"), "Emxe"),
            ("Emxe", true, true, false, None, "Emxe"),
            ("AE", false, true, false, Some("misses"), "AEm"),
            ("AKEmn", true, true, true, None, "AKEmn"),
            ("Kmxe", false, false, false, Some("misses, expirations and evictions"), "KmxeE"),
            ("xE", false, false, false, Some("misses and evictions"), "xEme"),
            ("nE", false, false, true, Some("misses, expirations and evictions"), "nEmxe"),
        ] {
            let flags = EventFlags::new(setting);
            let channels = flags.channels();
            assert_eq!(channels.misses, Some(misses), "{setting}");
            assert_eq!(channels.evictions, Some(evictions), "{setting}");
            assert_eq!(channels.additions, Some(additions), "{setting}");
            assert_eq!(flags.missing().as_deref(), missing, "{setting}");
            assert_eq!(flags.merged(), merged, "{setting}");
            let for_causes = EventFlags::new(&flags.merged_for_causes(true)).channels();
            assert_eq!(for_causes.deletions, Some(true), "{setting}");
            let told = !setting.contains('A') || setting.contains('n');
            assert_eq!(for_causes.additions, Some(told), "{setting}");
            assert_eq!(flags.merged_for_causes(false).contains('n'), setting.contains('n'), "{setting}");
        }
    }
}
