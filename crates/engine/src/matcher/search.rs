//! Walking the trie along a key, most specific first.

use cachescope_model::template::SEPARATOR;
use smallvec::SmallVec;

use super::trie::{Node, Trie};

/// Field ends tried after which exhausted runs are remembered: ordinary keys never pay for it.
const EASY_STEPS: u32 = 32;
/// A run of more bytes than this is remembered in any case.
const EASY_BYTES: usize = 256;

/// A field's bytes within the key, in the order of the template's fields.
pub(super) type Captures = SmallVec<[(usize, usize); 8]>;

/// One walk.
///
/// Whatever follows a field depends on where the field ends, not on where it began. So once every end within
/// a run of bytes has failed, a field that begins later in that run needs no second look: with that, each
/// place of the trie passes over the key once, and the work is bounded by places × bytes whatever the key.
pub(super) struct Search<'a> {
    trie: &'a Trie,
    key: &'a [u8],
    steps: u32,
    /// Node after a field, and the bytes (from, to) among which no end of it works.
    exhausted: SmallVec<[(u32, usize, usize); 4]>,
    captures: Option<Captures>,
}

impl<'a> Search<'a> {
    pub(super) fn new(trie: &'a Trie, key: &'a [u8]) -> Self {
        Self { trie, key, steps: 0, exhausted: SmallVec::new(), captures: None }
    }

    /// Finds the template that matches.
    pub(super) fn find(mut self) -> Option<u32> {
        self.from(0, 0)
    }

    /// Finds the template that matches, and its fields.
    pub(super) fn fields(mut self) -> Option<(u32, Captures)> {
        self.captures = Some(Captures::new());
        let index = self.from(0, 0)?;
        Some((index, self.captures.take()?))
    }

    fn from(&mut self, mut at: u32, mut position: usize) -> Option<u32> {
        loop {
            let node = &self.trie.nodes[at as usize];
            let rest = &self.key[position..];
            let Some(first) = rest.first() else { return node.end };
            let literal = node.literals.iter().find(|(bytes, _)| bytes[0] == *first);
            let onward = literal.filter(|(bytes, _)| rest.starts_with(bytes));
            match onward {
                // Nothing to come back to: go on without recursion.
                Some((bytes, next))
                    if node.digits.is_none() && node.segment.is_none() && node.rest.is_none() =>
                {
                    at = *next;
                    position += bytes.len();
                }
                Some((bytes, next)) => {
                    let found = self.from(*next, position + bytes.len());
                    return found.or_else(|| self.fields_at(node, position));
                }
                None => return self.fields_at(node, position),
            }
        }
    }

    fn fields_at(&mut self, node: &'a Node, position: usize) -> Option<u32> {
        if let Some(next) = node.digits
            && let Some(found) = self.run(next, position, |byte| byte.is_ascii_digit())
        {
            return Some(found);
        }
        if let Some(next) = node.segment
            && let Some(found) = self.run(next, position, |byte| byte != SEPARATOR)
        {
            return Some(found);
        }
        if node.rest.is_some()
            && let Some(captures) = &mut self.captures
        {
            captures.push((position, self.key.len()));
        }
        node.rest
    }

    /// Tries the ends of a field that begins at `start`, shortest first.
    fn run(&mut self, next: u32, start: usize, belongs: impl Fn(u8) -> bool) -> Option<u32> {
        let known =
            self.exhausted.iter().any(|(node, from, to)| *node == next && (*from..*to).contains(&start));
        if known {
            return None;
        }
        let trie = self.trie;
        let node = &trie.nodes[next as usize];
        let mut end = start;
        while self.key.get(end).is_some_and(|byte| belongs(*byte)) {
            end += 1;
            // A field ends where the literal after it may begin, or at the key's end.
            let may_end = match self.key.get(end) {
                Some(byte) => node.begins.contains(*byte),
                None => node.end.is_some(),
            };
            if may_end && let Some(found) = self.after_field(next, start, end) {
                return Some(found);
            }
        }
        if self.steps > EASY_STEPS || end - start > EASY_BYTES {
            match self.exhausted.iter_mut().find(|(node, ..)| *node == next) {
                Some(entry) => *entry = (next, start, end),
                None => self.exhausted.push((next, start, end)),
            }
        }
        None
    }

    fn after_field(&mut self, next: u32, start: usize, end: usize) -> Option<u32> {
        self.steps += 1;
        let depth = self.captures.as_ref().map_or(0, SmallVec::len);
        if let Some(captures) = &mut self.captures {
            captures.push((start, end));
        }
        let found = self.from(next, end);
        if found.is_none()
            && let Some(captures) = &mut self.captures
        {
            captures.truncate(depth);
        }
        found
    }
}
