//! The stream of a connection that listens, taken apart: lines of MONITOR, keyspace events that are pushed in between
//! (RESP3), and replies to our own commands. Bounded memory, whatever comes.

use cachescope_model::events::KeyEventKind;
use memchr::memchr;

use super::commands::Line;
use super::events::announced_on;

/// What is read at once.
const READ_BYTES: usize = 64 * 1024;
/// Of a longer line only so much is looked at; the rest is skipped as it comes. Keys stand at the front, unless
/// thousands of them are asked for at once.
pub(super) const LINE_BYTES: usize = 256 * 1024;

/// One thing that came.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A command that somebody ran, and the bytes the server spent on telling it.
    Line(Line<'a>, usize),
    /// A line that can't be read.
    Malformed,
    /// A keyspace event.
    Event {
        /// What happened to the key.
        kind: KeyEventKind,
        /// The logical database.
        database: u16,
        /// The key; `None` where it is too long to keep.
        key: Option<&'a [u8]>,
    },
    /// Another message that was pushed, such as a subscription's confirmation.
    Push,
    /// A reply to a command of ours, all of it.
    Reply(&'a [u8]),
}

/// What came is not the protocol, or a reply is longer than any we ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    Nothing,
    ToLineEnd,
    Bytes(usize),
}

/// Takes bytes as they come and gives items as they are complete.
#[derive(Debug)]
pub struct Feed {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    skip: Skip,
}

impl Default for Feed {
    fn default() -> Self {
        Self { buffer: vec![0; LINE_BYTES + READ_BYTES], start: 0, end: 0, skip: Skip::Nothing }
    }
}

impl Feed {
    /// Where the next bytes are to be read to; never empty once [`take`](Self::take) gave `None`.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < READ_BYTES {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let end = (self.end + READ_BYTES).min(self.buffer.len());
        &mut self.buffer[self.end..end]
    }

    /// So many bytes were read into [`space`](Self::space).
    pub fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.buffer.len());
    }

    /// Forgets what has not been taken.
    pub fn clear(&mut self) {
        (self.start, self.end, self.skip) = (0, 0, Skip::Nothing);
    }

    /// The next item; `None` where it is not complete yet.
    ///
    /// # Errors
    /// When no item can be told from the next any more: the connection is of no use then.
    pub fn take(&mut self) -> Result<Option<Item<'_>>, Broken> {
        if !self.skipped() {
            return Ok(None);
        }
        let (start, waiting) = (self.start, &self.buffer[self.start..self.end]);
        if let [b'+', b'0'..=b'9', ..] = waiting {
            let (end, cut) = match memchr(b'\n', waiting) {
                Some(end) => (end + 1, false),
                None if waiting.len() >= LINE_BYTES => (waiting.len(), true),
                None => return Ok(None),
            };
            self.start += end;
            self.skip = if cut { Skip::ToLineEnd } else { Skip::Nothing };
            let bytes = &self.buffer[start + 1..start + end];
            let text = if cut { bytes } else { bytes.strip_suffix(b"\r\n").unwrap_or(bytes) };
            return Ok(Some(Line::parse(text, cut).map_or(Item::Malformed, |line| Item::Line(line, end))));
        }
        match frame(waiting) {
            Frame::Whole { end, pushed: false, .. } => {
                self.start += end;
                Ok(Some(Item::Reply(&self.buffer[start..start + end])))
            }
            Frame::Whole { end, pushed: true, texts } => {
                self.start += end;
                Ok(Some(pushed(&self.buffer[start..], texts)))
            }
            Frame::Partial { needs } if needs <= LINE_BYTES => Ok(None),
            // Only the last text of a message may be long: the key. The length of the whole is known then.
            Frame::Partial { needs } => match too_long(waiting) {
                Some((kind, database)) => {
                    self.skip = Skip::Bytes(needs);
                    Ok(Some(Item::Event { kind, database, key: None }))
                }
                None => Err(Broken),
            },
            Frame::Broken => Err(Broken),
        }
    }

    /// Drops what is to be skipped. `false`: there is more of it to come.
    fn skipped(&mut self) -> bool {
        match self.skip {
            Skip::Nothing => return true,
            Skip::Bytes(left) => {
                let here = left.min(self.end - self.start);
                self.start += here;
                self.skip = if here == left { Skip::Nothing } else { Skip::Bytes(left - here) };
            }
            Skip::ToLineEnd => match memchr(b'\n', &self.buffer[self.start..self.end]) {
                Some(end) => {
                    self.start += end + 1;
                    self.skip = Skip::Nothing;
                }
                None => self.start = self.end,
            },
        }
        self.skip == Skip::Nothing
    }
}

/// Where the first texts of a frame stand.
type Texts = [(usize, usize); 3];

enum Frame {
    Whole { end: usize, pushed: bool, texts: Texts },
    Partial { needs: usize },
    Broken,
}

/// Measures the first frame of the protocol (RESP2 or RESP3).
fn frame(bytes: &[u8]) -> Frame {
    let (mut at, mut left, mut found) = (0usize, 1u64, 0usize);
    let mut texts = Texts::default();
    while left > 0 {
        left -= 1;
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(end) = memchr(b'\n', rest) else {
            // The head of a text or of a list is short; only an error or a status line may be longer.
            return if rest.len() > 4096 {
                Frame::Broken
            } else {
                Frame::Partial { needs: at + rest.len() + 1 }
            };
        };
        let head = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let body = at + end + 1;
        let Some((kind, length)) = head.split_first() else { return Frame::Broken };
        let length = || std::str::from_utf8(length).ok().and_then(|text| text.parse::<i64>().ok());
        match kind {
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => at = body,
            b'$' | b'=' | b'!' => match length() {
                Some(-1) => at = body,
                Some(length @ 0..=0x7fff_ffff) => {
                    let end = body + length as usize;
                    if end + 2 > bytes.len() {
                        return Frame::Partial { needs: end + 2 };
                    }
                    if let Some(text) = texts.get_mut(found) {
                        *text = (body, end);
                    }
                    found += 1;
                    at = end + 2;
                }
                _ => return Frame::Broken,
            },
            b'*' | b'~' | b'>' | b'%' | b'|' => match length() {
                Some(-1) => at = body,
                Some(length @ 0..=0xffff) => {
                    let length = length as u64;
                    left += match kind {
                        b'%' => 2 * length,
                        b'|' => 2 * length + 1,
                        _ => length,
                    };
                    at = body;
                }
                _ => return Frame::Broken,
            },
            _ => return Frame::Broken,
        }
    }
    Frame::Whole { end: at, pushed: bytes.first() == Some(&b'>'), texts }
}

fn pushed(bytes: &[u8], texts: Texts) -> Item<'_> {
    let [message, channel, key] = texts.map(|(from, to)| &bytes[from..to]);
    match (message, announced_on(channel)) {
        (b"message", Some((kind, database))) => Item::Event { kind, database, key: Some(key) },
        _ => Item::Push,
    }
}

/// What a message tells of a key that is too long to keep.
fn too_long(bytes: &[u8]) -> Option<(KeyEventKind, u16)> {
    let rest = bytes.strip_prefix(b">3\r\n$7\r\nmessage\r\n$")?;
    let from = memchr(b'\n', rest)? + 1;
    let to = from + memchr(b'\r', &rest[from..])?;
    announced_on(&rest[from..to])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What came, in words.
    fn all(bytes: &[u8], step: usize) -> Result<Vec<String>, Broken> {
        let mut feed = Feed::default();
        let (mut items, mut rest, mut scratch) = (Vec::new(), bytes, Vec::new());
        loop {
            while let Some(item) = feed.take()? {
                items.push(match item {
                    Item::Line(line, _) => {
                        let mut arguments = line.arguments;
                        let words: Vec<_> = arguments
                            .by_ref()
                            .map(|word| match word.bytes(&mut scratch) {
                                Some(bytes) if bytes.len() > 100 => format!("({} bytes)", bytes.len()),
                                Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                                None => "?".to_owned(),
                            })
                            .collect();
                        let broken = if arguments.unreadable() { "…" } else { "" };
                        format!("{} {}{broken}", line.database, words.join(" "))
                    }
                    Item::Malformed => "malformed".to_owned(),
                    Item::Event { kind, database, key } => {
                        format!("{kind:?} {database} {}", key.map_or("…".into(), String::from_utf8_lossy))
                    }
                    Item::Push => "push".to_owned(),
                    Item::Reply(reply) => format!("reply {}", reply.len()),
                });
            }
            if rest.is_empty() {
                return Ok(items);
            }
            let space = feed.space();
            assert!(!space.is_empty(), "there is always room for more");
            let count = space.len().min(step).min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            feed.filled(count);
            rest = &rest[count..];
        }
    }

    const FEED: &[u8] = b"%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n>3\r\n$9\r\nsubscribe\r\n$22\r\n__keyevent@0__:keymiss\r\n:1\r\n\
        +OK\r\n+1795181777.875729 [0 127.0.0.1:4] \"GET\" \"a\\r\\n\"\r\n\
        >3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@7__:keymiss\r\n$5\r\n+1.\r\n\r\n\
        +1795181777.875729 x\r\n*-1\r\n_\r\n:0\r\n-NOPERM no\r\n\
        >3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@7__:expired\r\n$0\r\n\r\n+RESET\r\n";

    #[test]
    fn lines_events_and_replies_are_told_apart_however_they_come_in() {
        let expected = [
            "reply 27",
            "push",
            "reply 5",
            "0 GET a\r\n",
            "Miss 7 +1.\r\n",
            "malformed",
            "reply 5",
            "reply 3",
            "reply 4",
            "reply 12",
            "Expired 7 ",
            "reply 8",
        ];
        for step in [1, 2, 3, 7, 64, usize::MAX] {
            assert_eq!(all(FEED, step).expect("the protocol"), expected, "in steps of {step}");
        }
    }

    #[test]
    fn the_end_of_a_huge_line_is_skipped_and_its_start_is_read() {
        let mut bytes = b"+1.000000 [0 a] \"SET\" \"key\" \"".to_vec();
        bytes.resize(bytes.len() + 3 * LINE_BYTES, b'v');
        bytes.extend(b"\" \"EX\" \"9\"\r\n+1.000001 [0 a] \"GET\" \"next\"\r\n");
        for step in [1000, usize::MAX] {
            assert_eq!(all(&bytes, step).expect("the protocol"), ["0 SET key…", "0 GET next"]);
        }
    }

    #[test]
    fn an_event_with_a_huge_key_is_told_without_it() {
        let mut bytes =
            format!(">3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@3__:keymiss\r\n${}\r\n", 2 * LINE_BYTES);
        bytes.push_str(&"\n".repeat(2 * LINE_BYTES));
        bytes.push_str("\r\n+OK\r\n");
        for step in [1000, usize::MAX] {
            assert_eq!(all(bytes.as_bytes(), step).expect("the protocol"), ["Miss 3 …", "reply 5"]);
        }
    }

    #[test]
    fn what_is_not_the_protocol_is_refused() {
        for bytes in ["HTTP/1.1 200 OK\r\n", "$99999999999\r\n", "*70000\r\n", "$-2\r\n", "\r\n", "$x\r\n"] {
            assert_eq!(all(bytes.as_bytes(), 3), Err(Broken), "{bytes:?}");
        }
        assert_eq!(all(&b"-E".repeat(3000), 100), Err(Broken), "a reply without an end");
        let long = format!("${}\r\n{}", 2 * LINE_BYTES, " ".repeat(2 * LINE_BYTES));
        assert_eq!(all(long.as_bytes(), usize::MAX), Err(Broken), "a reply of a size that none has");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_hang(
            bytes in proptest::collection::vec(prop_oneof![
                Just(b'+'), Just(b'>'), Just(b'$'), Just(b'*'), Just(b'1'), Just(b'3'), Just(b'\r'), Just(b'\n'),
                Just(b'"'), any::<u8>()
            ], 0..200),
            step in 1usize..50,
        ) {
            let _either_way = all(&bytes, step);
        }
    }
}
