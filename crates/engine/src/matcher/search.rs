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
            if rest.is_empty() {
                return node.end;
            }
            let Some((next, length)) = node.literal(rest) else { return self.fields_at(node, position) };
            if node.digits.is_some() || node.segment.is_some() || node.rest.is_some() {
                let found = self.from(next, position + length);
                return found.or_else(|| self.fields_at(node, position));
            }
            // Nothing to come back to: go on without recursion.
            at = next;
            position += length;
        }
    }

    fn fields_at(&mut self, node: &'a Node, position: usize) -> Option<u32> {
        if let Some(next) = node.digits
            && let Some(found) = self.run(next, position, |byte| byte.is_ascii_digit())
        {
            return Some(found);
        }
        if let Some(next) = node.segment
            && let Some(found) = self.segment(next, position)
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

    /// A field without separators; most of them have one possible end.
    fn segment(&mut self, next: u32, start: usize) -> Option<u32> {
        let node = &self.trie.nodes[next as usize];
        if !node.ends_at_separator {
            return self.run(next, start, |byte| byte != SEPARATOR);
        }
        if self.is_exhausted(next, start) {
            return None;
        }
        let rest = &self.key[start..];
        let length = rest.iter().position(|byte| *byte == SEPARATOR).unwrap_or(rest.len());
        let may_end = if length == rest.len() { node.end.is_some() } else { !node.literals.is_empty() };
        let found = if length > 0 && may_end { self.after_field(next, start, start + length) } else { None };
        if found.is_none() {
            self.exhaust(next, start, start + length);
        }
        found
    }

    fn is_exhausted(&self, next: u32, start: usize) -> bool {
        self.exhausted.iter().any(|(node, from, to)| *node == next && (*from..*to).contains(&start))
    }

    fn exhaust(&mut self, next: u32, start: usize, end: usize) {
        if self.steps <= EASY_STEPS && end - start <= EASY_BYTES {
            return;
        }
        match self.exhausted.iter_mut().find(|(node, ..)| *node == next) {
            Some(entry) => *entry = (next, start, end),
            None => self.exhausted.push((next, start, end)),
        }
    }

    /// Tries the ends of a field that begins at `start`, shortest first.
    fn run(&mut self, next: u32, start: usize, belongs: impl Fn(u8) -> bool) -> Option<u32> {
        if self.is_exhausted(next, start) {
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
        self.exhaust(next, start, end);
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
