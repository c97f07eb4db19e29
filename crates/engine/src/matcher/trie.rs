//! Templates compiled into one byte trie.

use cachescope_model::template::{FieldKind, Part, Template};

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
