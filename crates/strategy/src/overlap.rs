//! How two templates relate: which keys match both, and which template is the more specific one.
//!
//! A template is a small automaton over bytes; its language is the set of keys it matches. Two templates may
//! share keys only where one of them is everywhere at least as specific, which is inclusion of languages, and
//! where the matcher prefers that one: it takes, at the first place where they differ, literals before digits
//! before segments before the rest, and the longer template before its own beginning.

use std::collections::{HashMap, HashSet, VecDeque};

use cachescope_model::template::{FieldKind, Part, SEPARATOR, Template};

/// How the keys of two templates relate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// No key matches both.
    Disjoint,
    /// They match the same keys.
    Same,
    /// What the first matches, the second matches too, and the matcher gives it to the first.
    FirstWithinSecond,
    /// The other way round.
    SecondWithinFirst,
    /// Some keys match both and it can't be told to which they belong.
    Ambiguous {
        /// A key that matches both.
        example: String,
    },
}

/// One step of a template's automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    OneOrMore(FieldKind),
    /// Zero or more bytes of any kind: `*` in a glob.
    Anything,
    /// One byte of any kind: `?` in a glob, or a class, which is taken for any byte.
    AnyByte,
}

impl Token {
    fn takes(self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => own == byte,
            Self::OneOrMore(FieldKind::Digits) => byte.is_ascii_digit(),
            Self::OneOrMore(FieldKind::Segment) => byte != SEPARATOR,
            Self::OneOrMore(FieldKind::Rest) | Self::Anything | Self::AnyByte => true,
        }
    }

    /// Lower is preferred by the matcher.
    const fn rank(self) -> u8 {
        match self {
            Self::Byte(_) => 0,
            Self::OneOrMore(FieldKind::Digits) => 1,
            Self::OneOrMore(FieldKind::Segment) => 2,
            Self::OneOrMore(FieldKind::Rest) | Self::Anything | Self::AnyByte => 3,
        }
    }
}

/// States are places in `tokens`: in state `2 n` nothing of token `n` is taken, in `2 n + 1` one byte or more.
struct Automaton {
    tokens: Vec<Token>,
}

impl Automaton {
    fn of(template: &Template) -> Self {
        let mut tokens = Vec::new();
        for part in template.parts() {
            match part {
                Part::Literal(bytes) => tokens.extend(bytes.iter().copied().map(Token::Byte)),
                Part::Field { kind, .. } => tokens.push(Token::OneOrMore(*kind)),
            }
        }
        Self { tokens }
    }

    /// A Redis glob in which `{field}` stands for one segment. A class is taken for any byte, so the language
    /// is never too small.
    fn of_glob(pattern: &str) -> Self {
        let mut tokens = Vec::new();
        let mut bytes = pattern.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'*' => tokens.push(Token::Anything),
                b'?' => tokens.push(Token::AnyByte),
                b'[' => {
                    bytes.by_ref().find(|byte| *byte == b']');
                    tokens.push(Token::AnyByte);
                }
                b'{' => {
                    bytes.by_ref().find(|byte| *byte == b'}');
                    tokens.push(Token::OneOrMore(FieldKind::Segment));
                }
                b'\\' => tokens.extend(bytes.next().map(Token::Byte)),
                other => tokens.push(Token::Byte(other)),
            }
        }
        Self { tokens }
    }

    /// The places reachable without taking a byte.
    fn rest_of(&self, state: usize) -> Vec<usize> {
        let mut states = vec![state];
        let mut at = state;
        if at % 2 == 1 {
            at += 1; // a field that has taken a byte may end
            states.push(at);
        }
        while self.tokens.get(at / 2) == Some(&Token::Anything) {
            at += 2; // a glob's star may take nothing
            states.push(at);
        }
        states
    }

    fn step(&self, state: usize, byte: u8) -> Vec<usize> {
        let mut next = Vec::new();
        for from in self.rest_of(state) {
            let Some(token) = self.tokens.get(from / 2) else { continue };
            if !token.takes(byte) {
                continue;
            }
            next.push(match token {
                Token::OneOrMore(_) => from | 1,
                Token::Anything => from & !1,
                Token::Byte(_) | Token::AnyByte => (from & !1) + 2,
            });
        }
        next.sort_unstable();
        next.dedup();
        next
    }

    fn accepts(&self, state: usize) -> bool {
        self.rest_of(state).contains(&(self.tokens.len() * 2))
    }

    fn literals(&self) -> impl Iterator<Item = u8> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Byte(byte) => Some(*byte),
            _ => None,
        })
    }
}

/// Bytes that stand for all bytes: those the automata name, and one of every class they don't.
fn alphabet(first: &Automaton, second: &Automaton) -> Vec<u8> {
    let named: HashSet<u8> = first.literals().chain(second.literals()).collect();
    let unnamed = |mut class: std::ops::RangeInclusive<u8>| class.find(|byte| !named.contains(byte));
    let mut bytes: Vec<u8> = [unnamed(b'0'..=b'9'), unnamed(b'a'..=b'z'), Some(SEPARATOR)]
        .into_iter()
        .flatten()
        .chain(
            (0..=u8::MAX)
                .find(|byte| !named.contains(byte) && !byte.is_ascii_alphanumeric() && *byte != SEPARATOR),
        )
        .collect();
    bytes.extend(named);
    bytes.sort_unstable_by_key(|byte| (!byte.is_ascii_graphic(), *byte));
    bytes.dedup();
    bytes
}

/// A state of each of two automata.
type Pair = (usize, usize);

/// The shortest key that both match.
fn common(first: &Automaton, second: &Automaton) -> Option<Vec<u8>> {
    let bytes = alphabet(first, second);
    let mut from: HashMap<Pair, Option<(Pair, u8)>> = HashMap::from([((0, 0), None)]);
    let mut queue = VecDeque::from([(0, 0)]);
    while let Some(pair) = queue.pop_front() {
        if first.accepts(pair.0) && second.accepts(pair.1) {
            let mut key = Vec::new();
            let mut at = pair;
            while let Some(Some((before, byte))) = from.get(&at) {
                key.push(*byte);
                at = *before;
            }
            key.reverse();
            return Some(key);
        }
        for byte in &bytes {
            for left in first.step(pair.0, *byte) {
                for right in second.step(pair.1, *byte) {
                    from.entry((left, right)).or_insert_with(|| {
                        queue.push_back((left, right));
                        Some((pair, *byte))
                    });
                }
            }
        }
    }
    None
}

/// The most states that are explored; no sensible template has nearly as many.
const MOST_STATES: usize = 100_000;

/// Whether every key that `inner` matches is matched by `outer`; `false` where that takes too long to tell.
fn within(inner: &Automaton, outer: &Automaton) -> bool {
    let bytes = alphabet(inner, outer);
    let start = (0, vec![0]);
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = vec![start];
    while let Some((state, others)) = queue.pop() {
        if inner.accepts(state) && !others.iter().any(|other| outer.accepts(*other)) {
            return false;
        }
        if seen.len() > MOST_STATES {
            return false;
        }
        for byte in &bytes {
            let mut next: Vec<usize> = others.iter().flat_map(|other| outer.step(*other, *byte)).collect();
            next.sort_unstable();
            next.dedup();
            for target in inner.step(state, *byte) {
                let pair = (target, next.clone());
                if seen.insert(pair.clone()) {
                    queue.push(pair);
                }
            }
        }
    }
    true
}

/// Whether the matcher gives keys that both match to the first; `None` where that can't be told.
fn preferred(first: &Automaton, second: &Automaton) -> Option<bool> {
    let differ = first.tokens.iter().zip(&second.tokens).find(|(left, right)| left != right);
    match differ {
        Some((left, right)) if left.rank() == right.rank() => None,
        Some((left, right)) => Some(left.rank() < right.rank()),
        None => Some(first.tokens.len() > second.tokens.len()),
    }
}

/// A template's segments, which tell most templates apart far more cheaply than walking their automata.
pub(crate) struct Segments {
    /// The text between separators: whole literal text, or `None` where a field stands in it.
    texts: Vec<Option<Vec<u8>>>,
    /// Whether a field takes the rest of the key, so that keys may have more segments.
    open: bool,
}

impl Segments {
    pub(crate) fn of(template: &Template) -> Self {
        let mut texts = vec![Some(Vec::new())];
        let mut open = false;
        for part in template.parts() {
            match part {
                Part::Literal(bytes) => {
                    for (at, text) in bytes.split(|byte| *byte == SEPARATOR).enumerate() {
                        if at > 0 {
                            texts.push(Some(Vec::new()));
                        }
                        if let Some(Some(segment)) = texts.last_mut() {
                            segment.extend_from_slice(text);
                        }
                    }
                }
                Part::Field { kind, .. } => {
                    open |= *kind == FieldKind::Rest;
                    texts.pop();
                    texts.push(None);
                }
            }
        }
        Self { texts, open }
    }

    /// Whether counting and comparing whole segments already shows that no key matches both: true of nearly
    /// all pairs of a large file.
    pub(crate) fn apart(&self, other: &Self) -> bool {
        let counts_differ = !self.open && !other.open && self.texts.len() != other.texts.len();
        let texts_differ = |(left, right): (&Option<Vec<u8>>, &Option<Vec<u8>>)| match (left, right) {
            (Some(left), Some(right)) => left != right,
            _ => false,
        };
        counts_differ || self.texts.iter().zip(&other.texts).any(texts_differ)
    }
}

/// How the keys of two templates relate.
#[must_use]
pub fn relation(first: &Template, second: &Template) -> Relation {
    if Segments::of(first).apart(&Segments::of(second)) {
        return Relation::Disjoint;
    }
    let (first, second) = (Automaton::of(first), Automaton::of(second));
    let Some(key) = common(&first, &second) else { return Relation::Disjoint };
    let prefers_first = preferred(&first, &second);
    match (within(&first, &second), within(&second, &first)) {
        (true, true) => Relation::Same,
        (true, false) if prefers_first == Some(true) => Relation::FirstWithinSecond,
        (false, true) if prefers_first == Some(false) => Relation::SecondWithinFirst,
        _ => Relation::Ambiguous { example: String::from_utf8_lossy(&key).into_owned() },
    }
}

/// Whether some key could match both.
#[must_use]
pub fn intersect(first: &Template, second: &Template) -> bool {
    common(&Automaton::of(first), &Automaton::of(second)).is_some()
}

/// Whether a purge pattern, with `{field}` for one segment, could match a key of the template. A character
/// class is taken for any byte.
#[must_use]
pub fn reaches(pattern: &str, template: &Template) -> bool {
    common(&Automaton::of_glob(pattern), &Automaton::of(template)).is_some()
}

#[cfg(test)]
mod tests;
