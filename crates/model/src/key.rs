//! Keys as people read them. Keys are bytes: any of them has to be shown, and to be told from every other.

use crate::visible::is_invisible;

/// What keys of ours at a server begin with: locks of actions. They are nobody's namespace, scans leave them out and
/// no purge removes them.
pub const OUR_PREFIX: &[u8] = b"cachescope:lock:";

/// A key as one line of text: printable characters as they are, everything else escaped as redis-cli does
/// (`\n`, `\"`, `\\`, `\xff`). Two different keys never look the same.
#[must_use]
pub fn printable(key: &[u8]) -> String {
    let mut line = String::with_capacity(key.len());
    for chunk in key.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => line.push_str("\\\\"),
                '\n' => line.push_str("\\n"),
                '\r' => line.push_str("\\r"),
                '\t' => line.push_str("\\t"),
                // Invisible or reordering characters would let one key pass for another.
                other if other.is_control() || is_invisible(other) => {
                    let mut bytes = [0; 4];
                    for byte in other.encode_utf8(&mut bytes).bytes() {
                        push_hex(&mut line, byte);
                    }
                }
                other => line.push(other),
            }
        }
        for byte in chunk.invalid() {
            push_hex(&mut line, *byte);
        }
    }
    line
}

/// The key behind a line that [`printable`] made; `None` where a line can't be one, such as with half an escape.
#[must_use]
pub fn parse_printable(line: &str) -> Option<Vec<u8>> {
    let (mut key, mut bytes) = (Vec::with_capacity(line.len()), line.bytes());
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            key.push(byte);
            continue;
        }
        key.push(match bytes.next()? {
            b'\\' => b'\\',
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                (digit(bytes.next()?)? * 16 + digit(bytes.next()?)?) as u8
            }
            _ => return None,
        });
    }
    Some(key)
}

fn push_hex(line: &mut String, byte: u8) {
    use std::fmt::Write;
    // Writing to a string can't fail.
    let _ = write!(line, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_shown_and_none_passes_for_another() {
        for (key, line) in [
            (&b"session:9f31"[..], "session:9f31"),
            (b"a b\n\\n", "a b\\n\\\\n"),
            (b"\x00\xff", "\\x00\\xff"),
            ("größe:東京".as_bytes(), "größe:東京"),
            ("user\u{202e}1".as_bytes(), "user\\xe2\\x80\\xae1"),
            (b"", ""),
        ] {
            assert_eq!(printable(key), line);
            assert_eq!(parse_printable(line).as_deref(), Some(key));
        }
    }

    #[test]
    fn a_line_with_half_an_escape_is_no_key() {
        for line in ["\\", "\\x", "\\x4", "\\xzz", "\\q"] {
            assert_eq!(parse_printable(line), None, "{line}");
        }
    }
}
