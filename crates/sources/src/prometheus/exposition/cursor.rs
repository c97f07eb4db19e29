//! A place in the page and the lexical pieces that both formats share.

use std::borrow::Cow;

use super::line_error::{LineError, Quoted};

/// A label as the page has it, escapes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawLabel<'p> {
    pub(super) name: Cow<'p, str>,
    pub(super) value: Cow<'p, str>,
}

/// A place in a page. Past its end stands the byte `past_end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'p> {
    pub(super) page: &'p [u8],
    pub(super) at: usize,
    past_end: u8,
}

pub(super) fn starts_metric_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':'
}

pub(super) fn starts_label_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

impl<'p> Cursor<'p> {
    pub(super) fn new(page: &'p [u8], past_end: u8) -> Self {
        Self { page, at: 0, past_end }
    }

    pub(super) fn byte(&self) -> u8 {
        self.page.get(self.at).copied().unwrap_or(self.past_end)
    }

    /// Bytes of the page from `start` to `end`, however far these lie outside of it.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'p [u8] {
        let end = end.min(self.page.len());
        self.page.get(start..end).unwrap_or_default()
    }

    /// The rest of the line from here, for an error.
    pub(super) fn rest_of_line(&self) -> Quoted<'p> {
        let rest = self.slice(self.at, self.page.len());
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        Quoted(&rest[..end])
    }

    pub(super) fn expected(&self, what: &'static str) -> LineError<'p> {
        match self.rest_of_line() {
            Quoted(b"\r") => LineError::CarriageReturn,
            found => LineError::Expected { what, found },
        }
    }

    /// Takes this byte, if it stands here.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let there = self.byte() == byte && self.at < self.page.len();
        self.at += usize::from(there);
        there
    }

    /// Takes these bytes, if they stand here; NUL bytes between them count as nothing, as in Prometheus's
    /// lexer inside a comment.
    pub(super) fn take_word(&mut self, word: &[u8]) -> bool {
        let before = self.at;
        for byte in word {
            if !self.take(*byte) {
                self.at = before;
                return false;
            }
            self.skip_nul();
        }
        true
    }

    /// Takes as many bytes as fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'p [u8] {
        let rest = self.slice(self.at, self.page.len());
        let length = rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    pub(super) fn skip_nul(&mut self) {
        self.take_while(|byte| byte == 0);
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_while(|byte| byte == b' ' || byte == b'\t');
    }

    /// Takes a metric name.
    pub(super) fn metric_name(&mut self) -> Option<&'p str> {
        self.name(starts_metric_name)
    }

    /// Takes a label name.
    pub(super) fn label_name(&mut self) -> Option<&'p str> {
        self.name(starts_label_name)
    }

    fn name(&mut self, starts: fn(u8) -> bool) -> Option<&'p str> {
        if !starts(self.byte()) {
            return None;
        }
        let name = self.take_while(|byte| starts(byte) || byte.is_ascii_digit());
        std::str::from_utf8(name).ok()
    }

    /// Takes a quoted string, whose opening quotation mark stands here, and resolves its escapes.
    ///
    /// A backslash may stand before anything but a line's end; only `\"`, `\\` and `\n` mean something. NUL
    /// bytes after the closing mark count to the string, and then the last of them is what is cut off: so
    /// Prometheus's lexer has it where `nul_is_part` holds.
    pub(super) fn quoted(
        &mut self,
        newline_allowed: bool,
        nul_is_part: bool,
    ) -> Result<Cow<'p, str>, LineError<'p>> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            let Some(byte) = self.page.get(at).copied() else {
                return Err(LineError::Unclosed(self.rest_of_line()));
            };
            at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    while nul_is_part && self.page.get(at) == Some(&0) {
                        at += 1;
                    }
                    match self.page.get(at) {
                        None | Some(b'\n' | 0) => return Err(LineError::Unclosed(self.rest_of_line())),
                        Some(_) => at += 1,
                    }
                }
                b'\n' if !newline_allowed => return Err(LineError::Unclosed(self.rest_of_line())),
                0 if !nul_is_part => return Err(LineError::Unclosed(self.rest_of_line())),
                _ => {}
            }
        }
        while nul_is_part && self.page.get(at) == Some(&0) {
            at += 1;
        }
        let bytes = self.slice(start, at - 1);
        self.at = at;
        let text = std::str::from_utf8(bytes).map_err(|_| LineError::ValueUtf8(Quoted(bytes)))?;
        Ok(if escaped { Cow::Owned(unescape(text)) } else { Cow::Borrowed(text) })
    }
}

/// Resolves the three escapes; a backslash before anything else stays.
fn unescape(text: &str) -> String {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        resolved.push_str(&rest[..place]);
        let (character, taken) = match rest.as_bytes().get(place + 1) {
            Some(b'"') => ('"', 2),
            Some(b'\\') => ('\\', 2),
            Some(b'n') => ('\n', 2),
            _ => ('\\', 1),
        };
        resolved.push(character);
        rest = &rest[place + taken..];
    }
    resolved.push_str(rest);
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_three_documented_escapes_mean_something() {
        for (written, meant) in [
            (r"a\nb", "a\nb"),
            (r#"\"x\""#, "\"x\""),
            (r"\\n", r"\n"),
            (r"\t\é", r"\t\é"),
            ("plain", "plain"),
        ] {
            assert_eq!(unescape(written), meant, "{written}");
        }
    }
}
