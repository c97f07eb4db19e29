//! One line of MONITOR, read without copying: `1339518083.107412 [0 127.0.0.1:60866] "get" "user:7"`.
//!
//! The format is `replicationFeedMonitors` and `sdscatrepr` of Redis: the server's time in seconds and
//! microseconds, the logical database and the client (`addr:port`, `[v6]:port`, `unix:path` or `lua`) in
//! brackets, and every argument in quotes with `\\ \" \n \r \t \a \b \xHH` escaped.

use memchr::{memchr, memchr2, memmem};

/// A line that names at least one argument, the command's name.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The server's clock, microseconds since 1970.
    pub micros: u64,
    /// The logical database.
    pub database: u16,
    /// Who sent it, as the server shows it: an address, `unix:` and a path, or `lua`.
    pub client: &'a [u8],
    /// The arguments, the command's name first.
    pub arguments: Arguments<'a>,
}

impl<'a> Line<'a> {
    /// Reads a line without its leading `+` and its line end. `cut`: the line goes on, but the rest was too
    /// long to keep. `None`: it is no line of MONITOR.
    #[must_use]
    pub fn parse(bytes: &'a [u8], cut: bool) -> Option<Self> {
        let (seconds, rest) = number(bytes)?;
        let rest = rest.strip_prefix(b".")?;
        let (fraction, after) = number(rest)?;
        if rest.len() - after.len() != 6 {
            return None;
        }
        let rest = after.strip_prefix(b" [")?;
        let (database, rest) = number(rest)?;
        let rest = rest.strip_prefix(b" ")?;
        // Addresses hold brackets too; only the one before the first argument is followed by space and quote.
        let end = memmem::find(rest, b"] \"")?;
        Some(Self {
            micros: seconds.checked_mul(1_000_000)?.checked_add(fraction)?,
            database: u16::try_from(database).ok()?,
            client: &rest[..end],
            arguments: Arguments {
                rest: &rest[end + 2..],
                state: if cut { State::Cut } else { State::Whole },
            },
        })
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    // Nineteen digits always fit.
    if digits == 0 || digits > 19 {
        return None;
    }
    let value = bytes[..digits].iter().fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some((value, &bytes[digits..]))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    Cut,
    Broken,
}

/// The arguments of a line, one after the other; what nobody asks for is not read.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    rest: &'a [u8],
    state: State,
}

impl<'a> Arguments<'a> {
    /// Whether there is something after the last argument read that can't be read: the line was cut or is
    /// malformed there.
    #[must_use]
    pub fn unreadable(&self) -> bool {
        self.state == State::Broken
    }

    fn broken(&mut self) -> Option<Argument<'a>> {
        self.rest = &[];
        self.state = State::Broken;
        None
    }
}

impl<'a> Iterator for Arguments<'a> {
    type Item = Argument<'a>;

    fn next(&mut self) -> Option<Argument<'a>> {
        if self.rest.is_empty() {
            return if self.state == State::Cut { self.broken() } else { None };
        }
        let Some(quoted) = self.rest.strip_prefix(b"\"") else { return self.broken() };
        let Some(end) = closing_quote(quoted) else { return self.broken() };
        let argument = Argument(&quoted[..end]);
        match &quoted[end + 1..] {
            [] => self.rest = &[],
            [b' ', rest @ ..] if !rest.is_empty() => self.rest = rest,
            [b' '] if self.state == State::Cut => self.rest = &[],
            _ => {
                self.broken();
            }
        }
        Some(argument)
    }
}

/// Where the quote is that no backslash stands before.
fn closing_quote(quoted: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', quoted.get(from..)?)?;
        if quoted[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}

/// An argument as it stands between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument<'a>(&'a [u8]);

impl<'a> Argument<'a> {
    /// With its escapes, as it stands in the line.
    #[must_use]
    pub fn escaped(&self) -> &'a [u8] {
        self.0
    }

    /// Whether it is this word, in whatever case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.0.eq_ignore_ascii_case(word.as_bytes())
    }

    /// As a number.
    #[must_use]
    pub fn number(&self) -> Option<usize> {
        std::str::from_utf8(self.0).ok()?.parse().ok()
    }

    /// Its bytes, in `scratch` where there are escapes to undo. `None`: an escape that Redis doesn't write.
    #[must_use]
    pub fn bytes<'s>(&self, scratch: &'s mut Vec<u8>) -> Option<&'s [u8]>
    where
        'a: 's,
    {
        let Some(first) = memchr(b'\\', self.0) else { return Some(self.0) };
        scratch.clear();
        let (mut plain, mut rest) = self.0.split_at(first);
        loop {
            scratch.extend_from_slice(plain);
            let [_, code, after @ ..] = rest else {
                return rest.is_empty().then_some(&scratch[..]);
            };
            let (byte, after) = match code {
                b'\\' | b'"' => (*code, after),
                b'n' => (b'\n', after),
                b'r' => (b'\r', after),
                b't' => (b'\t', after),
                b'a' => (7, after),
                b'b' => (8, after),
                b'x' => {
                    let [high, low, after @ ..] = after else { return None };
                    (hexadecimal(*high)? * 16 + hexadecimal(*low)?, after)
                }
                _ => return None,
            };
            scratch.push(byte);
            (plain, rest) = after.split_at(memchr(b'\\', after).unwrap_or(after.len()));
        }
    }
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As `sdscatrepr` writes it.
    fn quoted(bytes: &[u8]) -> Vec<u8> {
        let mut text = vec![b'"'];
        for byte in bytes {
            match byte {
                b'\\' | b'"' => text.extend([b'\\', *byte]),
                b'\n' => text.extend(b"\\n"),
                b'\r' => text.extend(b"\\r"),
                b'\t' => text.extend(b"\\t"),
                7 => text.extend(b"\\a"),
                8 => text.extend(b"\\b"),
                b' '..=b'~' => text.push(*byte),
                _ => text.extend(format!("\\x{byte:02x}").bytes()),
            }
        }
        text.push(b'"');
        text
    }

    fn line(client: &str, arguments: &[Vec<u8>]) -> Vec<u8> {
        let mut line = format!("1795181777.875729 [3 {client}]").into_bytes();
        for argument in arguments {
            line.push(b' ');
            line.extend(quoted(argument));
        }
        line
    }

    fn read(bytes: &[u8], cut: bool) -> Option<(Vec<Vec<u8>>, bool)> {
        let mut arguments = Line::parse(bytes, cut)?.arguments;
        let mut scratch = Vec::new();
        let read = arguments
            .by_ref()
            .map(|argument| argument.bytes(&mut scratch).map(<[u8]>::to_vec))
            .collect::<Option<Vec<_>>>()?;
        Some((read, arguments.unreadable()))
    }

    #[test]
    fn every_kind_of_client_is_read() {
        for client in
            ["127.0.0.1:48866", "[::1]:6379", "[fe80::1%eth0]:1", "unix:/run/a [b] c/redis.sock", "lua"]
        {
            let text = line(client, &[b"GET".to_vec()]);
            let line = Line::parse(&text, false).expect("a line");
            assert_eq!((line.micros, line.database), (1_795_181_777_875_729, 3));
            assert_eq!(line.client, client.as_bytes());
        }
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for text in [
            &b""[..],
            b"OK",
            b"1795181777.875729",
            b"1795181777.875729 [0 a]",
            b"1795181777.875729 [0 a] ",
            b"1795181777.8757 [0 a] \"GET\"",
            b"1795181777,875729 [0 a] \"GET\"",
            b"99999999999999999999.875729 [0 a] \"GET\"",
            b"9999999999999999999.875729 [0 a] \"GET\"",
            b"1795181777.875729 [65536 a] \"GET\"",
            b"1795181777.875729 [x a] \"GET\"",
        ] {
            assert!(Line::parse(text, false).is_none(), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_line_that_was_cut_or_is_malformed_gives_what_stands_before() {
        let start = b"1795181777.875729 [0 a] ";
        for (rest, cut, read_before, unreadable) in [
            (&br#""SET" "k" "half of a va"#[..], true, 2, true),
            (br#""SET" "k" "#, true, 2, true),
            (br#""SET" "k""#, true, 2, true),
            (br#""SET" "k\"#, true, 1, true),
            (br#""SET" "k""#, false, 2, false),
            (br#""SET" "k" "#, false, 2, true),
            (br#""SET" k"#, false, 1, true),
            (br#""SET""k""#, false, 1, true),
            (br#""SET" "k"#, false, 1, true),
        ] {
            let text = [start, rest].concat();
            let (arguments, broken) = read(&text, cut).expect("a line");
            assert_eq!(
                (arguments.len(), broken),
                (read_before, unreadable),
                "{}",
                String::from_utf8_lossy(rest)
            );
        }
    }

    proptest! {
        #[test]
        fn arguments_come_back_as_they_were(
            arguments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..6)
        ) {
            prop_assert_eq!(read(&line("lua", &arguments), false), Some((arguments, false)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), cut in any::<bool>()) {
            let _either_way = read(&bytes, cut);
            let mut text = b"1.000000 [0 a] \"".to_vec();
            text.extend(bytes);
            let _either_way = read(&text, cut);
        }
    }
}
