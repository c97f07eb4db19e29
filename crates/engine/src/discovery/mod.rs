//! Templates for keys that no strategy documents, found by looking at where keys vary.
//!
//! Keys are split at the separator they use; a trie holds the segments. Segments that look like identifiers
//! become a placeholder at once. Where a place of the trie sees more different words than a vocabulary has,
//! they become one too, and the rows that hung off those words are merged into one. Once a row is wide
//! enough it never changes its name again. Everything is bounded: rows, words a place, depth.

mod segment;

use cachescope_model::template::Template;
use smallvec::SmallVec;

use crate::rows::{OTHER, Rows};
use segment::{SEPARATORS, is_code, is_identifier, is_numbered, separator};

/// More different words than this at one place are one placeholder.
const WORDS: usize = 32;
/// More whole keys than this that differ in their last word alone are one row: each would hold one key.
const SINGLE_KEYS: usize = 8;
/// As many numbered words at one place (`t7`, `t18`, `t23`, `t40`) are identifiers, not names.
const NUMBERED: usize = 4;
/// Segments looked at; what follows is `{rest*}`.
const DEPTH: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Root,
    Word(Box<[u8]>),
    Placeholder,
    Rest,
}

#[derive(Clone, Debug)]
struct Place {
    parent: usize,
    token: Token,
    words: Vec<(Box<[u8]>, usize)>,
    placeholder: Option<usize>,
    rest: Option<usize>,
    row: Option<u32>,
    /// Every word here goes to the placeholder.
    all_vary: bool,
    /// Words that end a key go to the placeholder.
    ends_vary: bool,
    /// Numbered words go to the placeholder.
    numbered_vary: bool,
}

/// Which words of a place become its placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Widen {
    /// All of them.
    All,
    /// Those that are whole keys.
    Ends,
    /// The numbered ones.
    Numbered,
}

impl Place {
    fn new(parent: usize, token: Token) -> Self {
        Self {
            parent,
            token,
            words: Vec::new(),
            placeholder: None,
            rest: None,
            row: None,
            all_vary: false,
            ends_vary: false,
            numbered_vary: false,
        }
    }

    fn word(&self, segment: &[u8]) -> Option<usize> {
        let place = self.words.binary_search_by(|(word, _)| (**word).cmp(segment)).ok()?;
        Some(self.words[place].1)
    }

    fn insert(&mut self, word: Box<[u8]>, child: usize) {
        let place = self.words.partition_point(|(known, _)| *known < word);
        self.words.insert(place, (word, child));
    }

    /// Whether a segment here is a placeholder. A key's first word names things even with digits in it.
    fn varies(&self, segment: &[u8], whole_key: bool) -> bool {
        let looks = if self.token == Token::Root { is_code(segment) } else { is_identifier(segment) };
        self.all_vary
            || looks
            || (whole_key && self.ends_vary)
            || (self.numbered_vary && is_numbered(segment))
    }
}

/// The trie of segments; one root for each way of separating.
#[derive(Clone, Debug)]
pub(crate) struct Discovery {
    places: Vec<Place>,
    bound: usize,
}

impl Discovery {
    pub(crate) fn new(max_discovered: usize) -> Self {
        let places = (0..=SEPARATORS.len()).map(|root| Place::new(root, Token::Root)).collect();
        Self { places, bound: max_discovered.saturating_mul(8).saturating_add(256) }
    }

    /// The row of a key, found or made; the remainder where the bounds are reached.
    pub(crate) fn attribute(&mut self, rows: &mut Rows, key: &[u8]) -> u32 {
        // Nearly every key goes a known way: found without learning, thus without allocating.
        if let Some(row) = self.walk(key) {
            return rows.resolve(row);
        }
        let root = separator(key);
        let segments = segments(key, root);
        let mut at = root;
        let mut words_only = true;
        for (depth, segment) in segments.iter().enumerate() {
            if depth == DEPTH {
                let Some(next) = self.step(at, Token::Rest) else { return OTHER };
                at = next;
                break;
            }
            let last = depth + 1 == segments.len();
            let place = &self.places[at];
            let varies = place.varies(segment, last && words_only);
            if !varies
                && place.word(segment).is_none()
                && let Some(which) = self.too_many(at, segment, last && words_only)
            {
                self.widen(rows, at, which);
                return self.attribute(rows, key);
            }
            let token = if varies { Token::Placeholder } else { Token::Word((*segment).into()) };
            words_only &= !varies;
            let Some(next) = self.step(at, token) else { return OTHER };
            at = next;
        }
        if let Some(row) = self.places[at].row {
            return rows.resolve(row);
        }
        let row = match self.template(at) {
            // Not kept where the bound is reached: a merge may make room later.
            Some(template) => match rows.discover(&template, &template) {
                Some(row) => row,
                None => return OTHER,
            },
            None => OTHER,
        };
        self.places[at].row = Some(row);
        row
    }

    /// The row of a key as far as it is known, without learning from it.
    pub(crate) fn find(&self, key: &[u8]) -> Option<u32> {
        self.walk(key).filter(|row| *row != OTHER)
    }

    fn walk(&self, key: &[u8]) -> Option<u32> {
        let root = separator(key);
        let segments = segments(key, root);
        let mut at = root;
        let mut words_only = true;
        for (depth, segment) in segments.iter().enumerate() {
            let place = &self.places[at];
            if depth == DEPTH {
                at = place.rest?;
                break;
            }
            let last = depth + 1 == segments.len();
            let varies = place.varies(segment, last && words_only);
            words_only &= !varies;
            at = if varies { place.placeholder? } else { place.word(segment)? };
        }
        self.places[at].row
    }

    /// What has to become a placeholder before one word more may stand here.
    fn too_many(&self, at: usize, segment: &[u8], ends_key: bool) -> Option<Widen> {
        let place = &self.places[at];
        // First words are as many as there are namespaces: the bound on rows is theirs.
        let first = place.token == Token::Root;
        let numbered = || place.words.iter().filter(|(word, _)| is_numbered(word)).count() + 1;
        let single = |(_, child): &&(Box<[u8]>, usize)| self.is_single_key(*child);
        if place.words.len() >= WORDS && !first {
            Some(Widen::All)
        } else if !first && is_numbered(segment) && numbered() >= NUMBERED {
            Some(Widen::Numbered)
        } else if ends_key && place.words.iter().filter(single).count() >= SINGLE_KEYS {
            Some(Widen::Ends)
        } else {
            None
        }
    }

    fn is_single_key(&self, place: usize) -> bool {
        let place = &self.places[place];
        place.row.is_some() && place.words.is_empty() && place.placeholder.is_none()
    }

    fn step(&mut self, at: usize, token: Token) -> Option<usize> {
        let known = match &token {
            Token::Word(word) => self.places[at].word(word),
            Token::Placeholder => self.places[at].placeholder,
            Token::Rest => self.places[at].rest,
            Token::Root => None,
        };
        if known.is_some() {
            return known;
        }
        if self.places.len() >= self.bound {
            return None;
        }
        let next = self.places.len();
        match &token {
            Token::Word(word) => self.places[at].insert(word.clone(), next),
            Token::Placeholder => self.places[at].placeholder = Some(next),
            Token::Rest => self.places[at].rest = Some(next),
            Token::Root => {}
        }
        self.places.push(Place::new(at, token));
        Some(next)
    }

    /// Turns words of a place into its placeholder.
    fn widen(&mut self, rows: &mut Rows, at: usize, which: Widen) {
        match which {
            Widen::All => self.places[at].all_vary = true,
            Widen::Ends => self.places[at].ends_vary = true,
            Widen::Numbered => self.places[at].numbered_vary = true,
        }
        let words = std::mem::take(&mut self.places[at].words);
        let (going, staying): (Vec<_>, Vec<_>) = words.into_iter().partition(|(word, child)| match which {
            Widen::All => true,
            Widen::Ends => self.is_single_key(*child),
            Widen::Numbered => is_numbered(word),
        });
        self.places[at].words = staying;
        let target = match self.places[at].placeholder {
            Some(target) => target,
            None => {
                // One place more than the bound, for the many that go.
                self.places.push(Place::new(at, Token::Placeholder));
                let target = self.places.len() - 1;
                self.places[at].placeholder = Some(target);
                target
            }
        };
        for (_, child) in going {
            self.fuse(rows, child, target);
        }
        self.rename(rows, target);
    }

    /// Moves what hangs off one place to another; rows that meet are merged.
    fn fuse(&mut self, rows: &mut Rows, from: usize, into: usize) {
        if from == into {
            return;
        }
        match (self.places[from].row.take(), self.places[into].row) {
            (Some(row), Some(known)) => rows.merge(rows.resolve(row), rows.resolve(known)),
            (Some(row), None) => self.places[into].row = Some(row),
            (None, _) => {}
        }
        self.places[into].all_vary |= self.places[from].all_vary;
        self.places[into].ends_vary |= self.places[from].ends_vary;
        self.places[into].numbered_vary |= self.places[from].numbered_vary;
        for (word, child) in std::mem::take(&mut self.places[from].words) {
            let known = self.places[into].word(&word);
            match known {
                Some(known) => self.fuse(rows, child, known),
                None => {
                    self.places[child].parent = into;
                    self.places[into].insert(word, child);
                }
            }
        }
        if let Some(child) = self.places[from].placeholder.take() {
            match self.places[into].placeholder {
                Some(known) => self.fuse(rows, child, known),
                None => {
                    self.places[child].parent = into;
                    self.places[into].placeholder = Some(child);
                }
            }
        }
        if let Some(child) = self.places[from].rest.take() {
            match self.places[into].rest {
                Some(known) => self.fuse(rows, child, known),
                None => {
                    self.places[child].parent = into;
                    self.places[into].rest = Some(child);
                }
            }
        }
        if self.places[into].all_vary && !self.places[into].words.is_empty()
            || self.places[into].words.len() > WORDS
        {
            self.widen(rows, into, Widen::All);
        } else if self.places[into].numbered_vary
            && self.places[into].words.iter().any(|(word, _)| is_numbered(word))
        {
            self.widen(rows, into, Widen::Numbered);
        }
    }

    /// Gives the rows at and below a place the names that their new way implies.
    fn rename(&mut self, rows: &mut Rows, at: usize) {
        let mut open = vec![at];
        while let Some(at) = open.pop() {
            if let Some(row) = self.places[at].row {
                match self.template(at) {
                    Some(template) => {
                        let row = rows.resolve(row);
                        rows.rename(row, &template);
                        self.places[at].row = Some(rows.resolve(row));
                    }
                    None => {
                        rows.merge(rows.resolve(row), OTHER);
                        self.places[at].row = Some(OTHER);
                    }
                }
            }
            let place = &self.places[at];
            open.extend(place.words.iter().map(|(_, child)| *child));
            open.extend(place.placeholder);
            open.extend(place.rest);
        }
    }

    /// The template of a place; `None` where it would match everything.
    fn template(&self, mut at: usize) -> Option<String> {
        let mut tokens = Vec::new();
        while self.places[at].token != Token::Root {
            tokens.push(&self.places[at].token);
            at = self.places[at].parent;
        }
        let separator = SEPARATORS.get(at).map_or("", |byte| match byte {
            b':' => ":",
            b'/' => "/",
            b'.' => ".",
            _ => "-",
        });
        let mut text = String::new();
        let mut fields = 0;
        for (place, token) in tokens.iter().rev().enumerate() {
            if place > 0 {
                text.push_str(separator);
            }
            match token {
                Token::Word(word) => {
                    let word = String::from_utf8_lossy(word);
                    text.push_str(&word.replace('{', "{{").replace('}', "}}"));
                }
                Token::Placeholder => {
                    fields += 1;
                    text.push_str(&if fields == 1 { "{id}".to_owned() } else { format!("{{id{fields}}}") });
                }
                Token::Rest => text.push_str("{rest*}"),
                Token::Root => {}
            }
        }
        Template::parse(&text).ok().map(String::from)
    }
}

fn segments(key: &[u8], root: usize) -> SmallVec<[&[u8]; 12]> {
    match SEPARATORS.get(root) {
        Some(separator) => key.splitn(DEPTH + 1, |byte| byte == separator).collect(),
        None => smallvec::smallvec![key],
    }
}

#[cfg(test)]
mod tests;
