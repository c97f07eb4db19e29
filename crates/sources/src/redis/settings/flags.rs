//! What may be taken out of `notify-keyspace-events` again.

use super::super::event_flags::ALIAS_A;

/// A value as the flags it stands for, each once, in the order in which they are written; `A` is its members.
fn members(value: &str) -> String {
    let mut members = String::new();
    for flag in value.chars() {
        let group = if flag == 'A' { ALIAS_A.to_owned() } else { flag.to_string() };
        for flag in group.chars().filter(|flag| !members.contains(*flag)).collect::<Vec<_>>() {
            members.push(flag);
        }
    }
    members
}

fn same(one: &str, other: &str) -> bool {
    let (one, other) = (members(one), members(other));
    one.len() == other.len() && one.chars().all(|flag| other.contains(flag))
}

/// The flags that a change from `old` to `new` added.
pub(super) fn added(old: &str, new: &str) -> String {
    let old = members(old);
    members(new).chars().filter(|flag| !old.contains(*flag)).collect()
}

/// `value` without some flags; an alias is written out where part of it goes.
pub(super) fn less(value: &str, taken: &str) -> String {
    let kept: String = members(value).chars().filter(|flag| !taken.contains(*flag)).collect();
    let was_short = value.contains('A') && ALIAS_A.chars().all(|flag| kept.contains(flag));
    if !was_short {
        return kept;
    }
    std::iter::once('A').chain(kept.chars().filter(|flag| !ALIAS_A.contains(*flag))).collect()
}

/// What became of flags that a change from `old` to `new` added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flags {
    /// To be set to this.
    Set(String),
    /// None of them is there any more.
    Gone,
    /// Somebody set the whole value anew: it is theirs.
    Theirs,
    /// Others need every one of them.
    Needed,
}

/// The value to set so that what the change added is taken away and nothing else.
///
/// `others` are flags that other holders need. Flags that somebody added meanwhile stay, with the `E` they are
/// announced by where they have no `K`. Where one of our flags is gone, or all event classes were switched on by
/// their alias, the value was set anew by somebody: what we added and they want too can't be told apart, so
/// it stays.
pub(super) fn without(current: &str, old: &str, new: &str, others: &str) -> Flags {
    let ours = added(old, new);
    let there = members(current);
    if !ours.chars().any(|flag| there.contains(flag)) {
        return Flags::Gone;
    }
    let mut taken: String = ours.chars().filter(|flag| !others.contains(*flag)).collect();
    if taken.is_empty() {
        return Flags::Needed;
    }
    if same(current, new) && taken.len() == ours.len() {
        return Flags::Set(old.to_owned());
    }
    let whole = |value: &str| ALIAS_A.chars().all(|flag| members(value).contains(flag));
    if !ours.chars().all(|flag| there.contains(flag)) || (current.contains('A') && !whole(new)) {
        return Flags::Theirs;
    }
    let before = members(old);
    let left = less(current, &taken);
    let theirs = left.chars().any(|flag| !before.contains(flag) && !"KEA".contains(flag));
    if taken.contains('E') && theirs && !left.contains('K') {
        taken.retain(|flag| flag != 'E');
    }
    Flags::Set(less(current, &taken))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::event_flags::EventFlags;
    use super::*;

    fn sorted(value: &str) -> String {
        let mut flags: Vec<char> = members(value).chars().collect();
        flags.sort_unstable();
        flags.into_iter().collect()
    }

    #[test]
    fn what_was_added_is_taken_away_and_what_others_want_stays() {
        for (current, old, new, others, left, why) in [
            ("xeEm", "", "Emxe", "", Some(""), "as we left it"),
            ("xeEm", "x", "xEme", "", Some("x"), "one was there before"),
            ("AKEm", "AK", "AKEm", "", Some("AK"), "the alias covers what was asked for"),
            ("AEm", "g$lshztd", "g$lshztdEmxe", "", Some("g$lshztd"), "the server shortened it to the alias"),
            ("gKxeEm", "", "Emxe", "", Some("gK"), "somebody added flags of their own"),
            ("gxeEm", "", "Emxe", "", Some("gE"), "theirs are announced by our E"),
            ("xeEm", "", "Emxe", "Em", Some("Em"), "another holder needs two of them"),
        ] {
            let Flags::Set(found) = without(current, old, new, others) else { panic!("{why}: nothing set") };
            assert_eq!(sorted(&found), sorted(left.unwrap_or_default()), "{why}: {found}");
        }
        assert_eq!(without("Kg", "", "Emxe", ""), Flags::Gone);
        assert_eq!(without("AKE", "", "Emxe", ""), Flags::Theirs, "m is gone: set anew");
        assert_eq!(without("AKEm", "", "Emxe", ""), Flags::Theirs, "by the alias: set anew");
        assert_eq!(without("Emxe", "", "Emxe", "Emxe"), Flags::Needed);
        assert_eq!(without("xe", "xe", "xe", ""), Flags::Gone, "nothing was added");
    }

    proptest! {
        #[test]
        fn whatever_was_set_is_set_again_when_nobody_interferes(old in "[KEAg$lshzxetdmn]{0,8}") {
            let new = EventFlags::new(&old).merged();
            match without(&new, &old, &new, "") {
                Flags::Set(left) => prop_assert_eq!(left, old),
                Flags::Gone => prop_assert_eq!(sorted(&old), sorted(&new)),
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn what_was_there_before_is_never_taken(old in "[KEg$lshzxetdmn]{0,8}", more in "[Kg$lshzn]{0,3}", others in "[Emxe]{0,2}") {
            let new = EventFlags::new(&old).merged();
            let current = format!("{new}{more}");
            if let Flags::Set(left) = without(&current, &old, &new, &others) {
                let left = members(&left);
                for flag in members(&old).chars().chain(more.chars()) {
                    prop_assert!(left.contains(flag), "{} of {} and {} is gone from {}", flag, old, more, left);
                }
            }
        }
    }
}
