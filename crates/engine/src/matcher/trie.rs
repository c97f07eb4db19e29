//! Templates compiled into one byte trie.

use cachescope_model::template::{FieldKind, Part, SEPARATOR, Template};

/// A place in the trie: what may follow here.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Literal text by its first byte: bytes and where they lead. No two share their first byte.
    pub(super) literals: Vec<(Box<[u8]>, u32)>,
    /// Which bytes a literal here may begin with.
    pub(super) begins: ByteSet,
    /// Where a run of digits leads.
    pub(super) digits: Option<u32>,
    /// Where a run without separators leads.
    pub(super) segment: Option<u32>,
    /// The template that takes the rest of the key.
    pub(super) rest: Option<u32>,
    /// The template that ends here.
    pub(super) end: Option<u32>,
    /// Place of the literal that begins with a byte, where there are many.
    table: Option<Box<[u8; 256]>>,
    /// Whether a literal here begins with the separator, if there is any: then a field that leads here ends
    /// at the next separator and nowhere else.
    pub(super) ends_at_separator: bool,
}

impl Node {
    /// Where a literal that this key goes on with leads, and its length.
    pub(super) fn literal(&self, rest: &[u8]) -> Option<(u32, usize)> {
        let first = *rest.first()?;
        let (text, next) = match &self.table {
            Some(table) => self.literals.get(usize::from(table[usize::from(first)]))?,
            None if self.begins.contains(first) => {
                self.literals.iter().find(|(text, _)| text.first() == Some(&first))?
            }
            None => return None,
        };
        rest.starts_with(text).then_some((*next, text.len()))
    }
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }
}

/// The trie; node 0 is its root.
#[derive(Clone, Debug)]
pub(super) struct Trie {
    pub(super) nodes: Vec<Node>,
}

/// Marks a byte with which no literal begins.
const NONE: u8 = u8::MAX;

impl Trie {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    /// Adds a template; where another of the same shape stands already, that one stays.
    pub(super) fn add(&mut self, template: &Template, index: u32) {
        let mut at = 0;
        for part in template.parts() {
            match part {
                Part::Literal(bytes) => at = self.literal(at, bytes),
                Part::Field { kind: FieldKind::Digits, .. } => {
                    let next = self.nodes[at].digits.unwrap_or(self.nodes.len() as u32);
                    self.nodes[at].digits = Some(next);
                    at = self.reach(next);
                }
                Part::Field { kind: FieldKind::Segment, .. } => {
                    let next = self.nodes[at].segment.unwrap_or(self.nodes.len() as u32);
                    self.nodes[at].segment = Some(next);
                    at = self.reach(next);
                }
                Part::Field { kind: FieldKind::Rest, .. } => {
                    self.nodes[at].rest.get_or_insert(index);
                    return;
                }
            }
        }
        self.nodes[at].end.get_or_insert(index);
    }

    /// Prepares for searching, once all templates are in.
    pub(super) fn finish(mut self) -> Self {
        self.nodes.shrink_to_fit();
        for node in &mut self.nodes {
            node.ends_at_separator = node.literals.iter().all(|(text, _)| text.first() == Some(&SEPARATOR));
            // At most 255 literals have different first bytes besides the one that marks none.
            if (4..usize::from(NONE)).contains(&node.literals.len()) {
                let mut table = Box::new([NONE; 256]);
                for (place, (text, _)) in (0u8..).zip(&node.literals) {
                    if let Some(first) = text.first() {
                        table[usize::from(*first)] = place;
                    }
                }
                node.table = Some(table);
            }
        }
        self
    }

    fn reach(&mut self, node: u32) -> usize {
        if node as usize == self.nodes.len() {
            self.nodes.push(Node::default());
        }
        node as usize
    }

    /// Follows literal text from a node, splitting what is there already where the two part.
    fn literal(&mut self, mut at: usize, mut text: &[u8]) -> usize {
        while let Some(first) = text.first() {
            let known = self.nodes[at].literals.iter().position(|(bytes, _)| bytes.first() == Some(first));
            let Some(place) = known else {
                let next = self.nodes.len();
                self.nodes.push(Node::default());
                self.nodes[at].begins.insert(*first);
                self.nodes[at].literals.push((text.into(), next as u32));
                return next;
            };
            let (bytes, next) = self.nodes[at].literals[place].clone();
            let shared = bytes.iter().zip(text).take_while(|(one, other)| one == other).count();
            if shared < bytes.len() {
                let middle = self.nodes.len();
                let mut split = Node { literals: vec![(bytes[shared..].into(), next)], ..Node::default() };
                split.begins.insert(bytes[shared]);
                self.nodes.push(split);
                self.nodes[at].literals[place] = (bytes[..shared].into(), middle as u32);
                at = middle;
            } else {
                at = next as usize;
            }
            text = &text[shared..];
        }
        at
    }
}
