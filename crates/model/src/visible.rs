//! Names and sentences as they may be shown: with nothing in them that hides or turns round what stands beside it.
//!
//! Names come from keys, which anybody may have written, and from files of others. A direction-changing sign in one of
//! them would rewrite the sentence around it: "misses 12/s, limit 0/s" read backwards. The page has the same rule for what
//! it shows of raw names (`ui/src/lib/format/names.ts`).

use std::borrow::Cow;

/// A name on one line: what can't be seen stands there as its number, such as `\u202e`.
#[must_use]
pub fn visible(name: &str) -> Cow<'_, str> {
    shown(name, |_| false)
}

/// The same for sentences, which may have lines.
#[must_use]
pub fn visible_prose(text: &str) -> Cow<'_, str> {
    shown(text, |character| matches!(character, '\n' | '\t'))
}

fn shown(text: &str, stays: fn(char) -> bool) -> Cow<'_, str> {
    let hides = |(at, character): (usize, char)| {
        let joins = character == JOINER && joins_pictures(&text[..at]);
        (character.is_control() || is_invisible(character)) && !stays(character) && !joins
    };
    if !text.char_indices().any(hides) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for (at, character) in text.char_indices() {
        match character {
            '\n' if !stays('\n') => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' if !stays('\t') => line.push_str("\\t"),
            other if hides((at, other)) => line.push_str(&format!("\\u{:04x}", u32::from(other))),
            other => line.push(other),
        }
    }
    Cow::Owned(line)
}

/// Makes one picture of two.
const JOINER: char = '\u{200d}';

/// Whether a picture stands last, maybe with a colour or a variant of its own.
fn joins_pictures(before: &str) -> bool {
    let variant = |character: &char| matches!(character, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
    let last = before.chars().rev().find(|character| !variant(character));
    last.is_some_and(|last| {
        matches!(last, '\u{2190}'..='\u{21ff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
    })
}

/// Zero-width, direction-changing and other formatting characters (Unicode's general category Cf, the part of
/// it that is in use), the soft hyphen and the separators of lines and paragraphs.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_turns_round_stands_there_as_its_number_and_all_else_stays() {
        for (name, shown) in [
            ("session:{id}", "session:{id}"),
            ("جلسات:{معرف}", "جلسات:{معرف}"),
            ("👩‍👩‍👧‍👦:{id} ❤️‍🔥 👩🏽‍💻", "👩‍👩‍👧‍👦:{id} ❤️‍🔥 👩🏽‍💻"),
            ("\u{202e}evil:{id}", "\\u202eevil:{id}"),
            ("two\nlines\tand\u{7}", "two\\nlines\\tand\\u0007"),
            ("a\u{200b}b\u{200d}c\u{feff}", "a\\u200bb\\u200dc\\ufeff"),
            ("\u{1b}[31m", "\\u001b[31m"),
        ] {
            assert_eq!(visible(name), shown);
        }
        assert_eq!(visible_prose("two\nlines\r\u{2066}"), "two\nlines\\r\\u2066");
    }
}
