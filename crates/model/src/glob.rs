//! Patterns as Redis matches them: `*`, `?`, `[a-c]`, `[^x]` and `\` before any of them.
//!
//! Byte for byte the verdict of `stringmatchlen` (Redis's `util.c`), with its oddities:
//! - a class without its closing bracket ends with the pattern;
//! - the ends of a range are compared as signed bytes, as C compares `char` on most machines, so `[a-\xff]` is the
//!   range from `\xff` to `a`; on ARM a server takes it the other way round;
//! - an empty text is matched by the empty pattern and by `*` alone, which SCAN does not even look at.

/// Whether `text` matches `pattern`.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    if text.is_empty() {
        return pattern.is_empty() || pattern == b"*";
    }
    let (mut at, mut read) = (0, 0);
    // Where to go on when a literal fails: the place after the last star, and one byte more for it.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, read));
            continue;
        }
        if read == text.len() {
            return at == pattern.len();
        }
        if let Some(next) = one(pattern, at, text[read]) {
            (at, read) = (next, read + 1);
        } else if let Some((star, from)) = retry {
            (at, read) = (star, from + 1);
            retry = Some((star, from + 1));
        } else {
            return false;
        }
    }
}

/// The pattern that matches exactly these bytes.
#[must_use]
pub fn escape(literal: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(literal.len());
    for byte in literal {
        if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern
}

/// The bytes that every matching text holds, in order, because the pattern names them: literals, escaped ones,
/// and classes of a single byte.
#[must_use]
pub fn named_bytes(pattern: &[u8]) -> Vec<u8> {
    let (mut at, mut named) = (0, Vec::new());
    while let Some(byte) = pattern.get(at) {
        if *byte == b'*' {
            at += 1;
            continue;
        }
        let mut taken = (0..=u8::MAX).filter_map(|byte| one(pattern, at, byte).map(|next| (byte, next)));
        match (taken.next(), taken.next()) {
            (Some((byte, next)), None) => {
                named.push(byte);
                at = next;
            }
            (Some((_, next)), Some(_)) => at = next,
            // A class that takes nothing, such as `[]`: no text matches, and nothing behind it matters.
            (None, _) => return named,
        }
    }
    named
}

/// The place after the element at `at` when it takes this byte.
fn one(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => class(pattern, at + 1, byte),
        b'\\' if at + 1 < pattern.len() => (pattern[at + 1] == byte).then_some(at + 2),
        literal => (literal == byte).then_some(at + 1),
    }
}

/// A class without its closing bracket ends with the pattern, as in Redis.
fn class(pattern: &[u8], start: usize, byte: u8) -> Option<usize> {
    let negated = pattern.get(start) == Some(&b'^');
    let mut at = start + usize::from(negated);
    let mut found = false;
    loop {
        match pattern.get(at) {
            None => return (found != negated).then_some(at),
            Some(b'\\') if at + 1 < pattern.len() => {
                found |= pattern[at + 1] == byte;
                at += 2;
            }
            Some(b']') => return (found != negated).then_some(at + 1),
            Some(first) if pattern.get(at + 1) == Some(&b'-') && at + 2 < pattern.len() => {
                let (first, last) = (first.cast_signed(), pattern[at + 2].cast_signed());
                found |= (first.min(last)..=first.max(last)).contains(&byte.cast_signed());
                at += 3;
            }
            Some(literal) => {
                found |= *literal == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_redis_documents_them() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("**", "", false),
            ("cache:reports:revenue:*", "cache:reports:revenue:v1", true),
            ("cache:reports:revenue:*", "cache:reports:projects:v1", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("**x", "x", true),
            ("a:{b}:*", "a:{b}:c", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn an_escaped_literal_matches_itself_and_nothing_that_it_would_have_meant() {
        for literal in [&b"a*b"[..], b"[x]?", b"\\", b"\x00\xff\n"] {
            assert!(matches(&escape(literal), literal), "{literal:?}");
        }
        assert!(!matches(&escape(b"a*b"), b"axb"));
    }

    #[test]
    fn a_pattern_names_the_bytes_that_no_match_can_lack() {
        for (pattern, named) in [
            ("*", ""),
            ("**?*", ""),
            ("[^]*", ""),
            ("[a-z]*", ""),
            ("*:*", ":"),
            ("user:*", "user:"),
            ("[u]s?r\\**", "usr*"),
            ("a[]b", "a"),
        ] {
            assert_eq!(named_bytes(pattern.as_bytes()), named.as_bytes(), "{pattern}");
        }
    }
}
