//! Which parts of a key look like an identifier rather than a word.

/// Longest literal segment of a discovered template.
const LONGEST_WORD: usize = 64;

/// Separators, best first: a key is split at the first of them that it contains.
pub(super) const SEPARATORS: [u8; 4] = *b":/.-";

/// The place in [`SEPARATORS`] of the one that splits this key; their number where it has none.
pub(super) fn separator(key: &[u8]) -> usize {
    SEPARATORS.iter().position(|separator| key.contains(separator)).unwrap_or(SEPARATORS.len())
}

fn without_braces(segment: &[u8]) -> &[u8] {
    segment.strip_prefix(b"{").and_then(|inner| inner.strip_suffix(b"}")).unwrap_or(segment)
}

/// Whether a segment is a code whatever stands around it: a number, a date, hexadecimal, a UUID, a token, or
/// bytes that no one would type.
pub(super) fn is_code(segment: &[u8]) -> bool {
    let inner = without_braces(segment);
    let digits = inner.iter().filter(|byte| byte.is_ascii_digit()).count();
    let hexadecimal = inner.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let unprintable = |text: &str| text.chars().any(char::is_control);
    inner.len() > LONGEST_WORD
        || (digits > 0 && inner.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'_')))
        || (digits > 0 && hexadecimal && inner.len() >= 8)
        || (digits > 0 && inner.len() >= 16)
        || std::str::from_utf8(inner).map_or(true, unprintable)
}

/// Whether a segment after the first is an identifier: a code, or a word with a number of three digits or
/// more.
pub(super) fn is_identifier(segment: &[u8]) -> bool {
    is_code(segment) || without_braces(segment).iter().filter(|byte| byte.is_ascii_digit()).count() >= 3
}

/// Whether a segment is a word with a number behind it (`t18`, `shop-7`): a name, unless several stand at one
/// place. A version (`v2`) stays a name: which ones there still are is worth seeing.
pub(super) fn is_numbered(segment: &[u8]) -> bool {
    let inner = without_braces(segment);
    let word = inner.iter().take_while(|byte| !byte.is_ascii_digit()).count();
    let (word, number) = inner.split_at(word);
    let version = word.eq_ignore_ascii_case(b"v") || word.eq_ignore_ascii_case(b"version");
    !word.is_empty() && !number.is_empty() && !version && number.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_told_from_words() {
        for segment in [
            &b"123"[..],
            b"2026-11-20",
            b"deadbee5",
            b"3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            b"u1234",
            b"aGVsbG8gd29ybGQ9PT0x",
            b"\xff\xfe",
            b"a\nb",
            b"{42}",
            &[b'x'; 65],
        ] {
            assert!(is_identifier(segment), "{}", segment.escape_ascii());
        }
        for segment in [&b"user"[..], b"v2", b"oauth2", b"items", b"", b"dashboard-stats", b"facade", b"{t1}"]
        {
            assert!(!is_identifier(segment), "{}", segment.escape_ascii());
        }
    }

    #[test]
    fn numbered_words_are_told_from_versions_and_words() {
        for segment in [&b"t18"[..], b"shop-7", b"o1", b"{t1}"] {
            assert!(is_numbered(segment), "{}", segment.escape_ascii());
        }
        for segment in [&b"v2"[..], b"V10", b"version3", b"items", b"18", b"18t", b"a1b", b""] {
            assert!(!is_numbered(segment), "{}", segment.escape_ascii());
        }
    }
}
