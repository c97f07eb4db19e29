//! Patterns that mean everything, however they are written.

use cachescope_model::glob;

use crate::failure::Failure;

/// The longest pattern that is taken.
const LONGEST_PATTERN: usize = 1_024;

/// Bytes that stand between the parts of nearly every key, and so name nothing.
const SEPARATORS: &[u8] = b":./|-_#, ";

/// Refuses the empty pattern and every pattern that names no byte of the keys it takes: `*`, `**`, `?*`, `[^]*`,
/// `*?*`, `[a-z]*`, `*:*`, … What names one byte may still be broad; the limits judge that by counting.
///
/// # Errors
/// What is wrong and what to write.
pub(crate) fn refuse_everything(pattern: &[u8]) -> Result<(), Failure> {
    const REMEDY: &str = "begin it with the literal start of a namespace, such as user:*";
    if pattern.is_empty() {
        return Err(Failure::bad("the pattern is empty", REMEDY));
    }
    if pattern.len() > LONGEST_PATTERN {
        return Err(Failure::bad("the pattern is longer than 1,024 bytes", "name fewer keys by it"));
    }
    let names_something = glob::named_bytes(pattern).iter().any(|byte| !SEPARATORS.contains(byte));
    if names_something {
        return Ok(());
    }
    Err(Failure::bad(
        format!("the pattern {:?} could match every key", cachescope_model::key::printable(pattern)),
        REMEDY,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everything_is_refused_however_it_is_written() {
        for pattern in [
            "",
            "*",
            "**",
            "?*",
            "*?",
            "*?*",
            "[^]*",
            "*[^]",
            "[^]",
            "?",
            "??*",
            "[a-z]*",
            "[^x]*",
            "*:*",
            ":*",
            "*_*",
            "[\\x00-\\xff]*",
            "*-*-*",
            "[:.]*",
            "\\:*",
            "[-]*",
            "[",
            "[^",
            "[]*",
        ] {
            assert!(refuse_everything(pattern.as_bytes()).is_err(), "{pattern}");
        }
        for pattern in ["a*", "user:*", "*:session", "\\**", "[u]ser:*", "t:?", "exact"] {
            assert_eq!(refuse_everything(pattern.as_bytes()), Ok(()), "{pattern}");
        }
    }

    proptest! {
        /// Structure against test: whatever is let through can be told apart from everything by a key.
        #[test]
        fn what_is_let_through_does_not_match_every_key(pattern in prop::collection::vec(
            prop::sample::select(&b"*?[]^\\-ab:"[..]), 1..12)
        ) {
            if refuse_everything(&pattern).is_ok() {
                // Keys of separators and control bytes alone hold no byte that a pattern names.
                let keys: [&[u8]; 4] = [b":", b"\x01", b"::::", b"\x01\x02\x03"];
                prop_assert!(keys.iter().any(|key| !glob::matches(&pattern, key)));
            }
        }
    }
}
