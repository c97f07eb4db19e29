//! Patterns as Redis matches them: `*`, `?`, `[a-c]`, `[^x]` and `\` before any of them.

/// Whether `text` matches `pattern`, by the rules of Redis's `stringmatchlen` (`util.c`).
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
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
            Some(b']') => return (found != negated).then_some(at + 1),
            Some(b'\\') if at + 1 < pattern.len() => {
                found |= pattern[at + 1] == byte;
                at += 2;
            }
            Some(first) if pattern.get(at + 1) == Some(&b'-') && at + 2 < pattern.len() => {
                let (low, high) = (*first.min(&pattern[at + 2]), *first.max(&pattern[at + 2]));
                found |= (low..=high).contains(&byte);
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
}
