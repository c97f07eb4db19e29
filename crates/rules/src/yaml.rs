//! YAML as a tree of texts with their lines. What a text means is decided by whoever reads it: `for: 5m` and
//! `for: "5m"` are the same here.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};

use crate::problem::Problem;

/// The largest text that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The deepest nesting.
const DEEPEST: usize = 32;
/// The most nodes, so that a text of nested aliases can't become a tree that fills the memory.
const MOST_NODES: usize = 2_000_000;

/// A node and the line it begins on.
#[derive(Clone, Debug)]
pub struct Node {
    /// From 1.
    pub line: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A text, a number or a truth value as written.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys with what stands under them, in their order.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// What stands under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The keys of a map with what stands under them.
    #[must_use]
    pub fn entries(&self) -> &[(String, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text, where it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The members of a list; one that is left empty has none.
    ///
    /// # Errors
    /// With the line, where it is no list.
    pub fn list(&self, what: &str) -> Result<&[Node], Problem> {
        match &self.kind {
            Kind::List(nodes) => Ok(nodes),
            Kind::Text(text) if text.is_empty() || text == "~" || text == "null" => Ok(&[]),
            _ => Err(Problem::new(self.line, format!("`{what}` is no list"))),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Text(_) => 0,
            Kind::List(nodes) => nodes.iter().map(Self::size).sum(),
            Kind::Map(entries) => entries.iter().map(|(_, node)| node.size()).sum(),
        }
    }
}

/// The first document of a text; `None` where there is none.
///
/// # Errors
/// With the line, where it is no YAML or too much of it.
pub fn read(text: &str) -> Result<Option<Node>, Problem> {
    if text.len() > MAX_BYTES {
        let what =
            format!("the file has {} MB; files up to {} MB are read", text.len() >> 20, MAX_BYTES >> 20);
        return Err(Problem::new(1, what));
    }
    let parser = Parser::new_from_str(text);
    let mut reader = Reader::default();
    for event in parser {
        let (event, span) = event.map_err(|error| {
            Problem::new(error.marker().line(), format!("the file is no YAML: {}", error.info()))
        })?;
        if reader.takes(event, span.start.line())? {
            break;
        }
    }
    Ok(reader.document)
}

/// Lists and maps that are not yet complete.
enum Open {
    List(Vec<Node>),
    Map(Vec<(String, Node)>, Option<String>),
}

#[derive(Default)]
struct Reader {
    open: Vec<(Open, usize, usize)>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    document: Option<Node>,
}

impl Reader {
    /// Takes the next event; whether the document is complete.
    fn takes(&mut self, event: Event<'_>, line: usize) -> Result<bool, Problem> {
        match event {
            Event::Scalar(text, _, anchor, _) => {
                self.add(Node { line, kind: Kind::Text(text.into_owned()) }, anchor)?;
            }
            Event::SequenceStart(anchor, _) => self.opened(Open::List(Vec::new()), line, anchor)?,
            Event::MappingStart(anchor, _) => self.opened(Open::Map(Vec::new(), None), line, anchor)?,
            Event::SequenceEnd | Event::MappingEnd => {
                let Some((open, line, anchor)) = self.open.pop() else { return Ok(false) };
                let kind = match open {
                    Open::List(nodes) => Kind::List(nodes),
                    Open::Map(entries, _) => Kind::Map(entries),
                };
                self.add(Node { line, kind }, anchor)?;
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node =
                    node.ok_or_else(|| Problem::new(line, "an alias stands inside of its own anchor"))?;
                self.nodes += node.size();
                self.add(Node { line, ..node }, 0)?;
            }
            Event::DocumentEnd => return Ok(true),
            _ => {}
        }
        Ok(false)
    }

    fn opened(&mut self, open: Open, line: usize, anchor: usize) -> Result<(), Problem> {
        if self.open.len() == DEEPEST {
            return Err(Problem::new(line, format!("the file is nested more than {DEEPEST} deep")));
        }
        self.open.push((open, line, anchor));
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        let line = node.line;
        self.nodes += if anchor > 0 { node.size() } else { 1 };
        if self.nodes > MOST_NODES {
            return Err(Problem::new(line, format!("the file has more than {MOST_NODES} values")));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.document = Some(node),
            Some((Open::List(nodes), ..)) => nodes.push(node),
            Some((Open::Map(entries, key), ..)) => match key.take() {
                Some(name) => entries.push((name, node)),
                None => match node.kind {
                    Kind::Text(name) if name == "<<" => {
                        return Err(Problem::new(line, "merge keys (<<) are not read; write the keys out"));
                    }
                    Kind::Text(name) if entries.iter().any(|(known, _)| *known == name) => {
                        return Err(Problem::new(line, format!("the key `{name}` stands there twice")));
                    }
                    Kind::Text(name) => *key = Some(name),
                    _ => return Err(Problem::new(line, "a key is no text")),
                },
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_writing_and_their_line() {
        let node = read("a: 1\nb:\n  - x: 0.80\n    y: &n \"5m\"\n  - *n\n")
            .expect("it is YAML")
            .expect("it holds something");
        let list = node.get("b").expect("there is b").list("b").expect("a list");
        assert_eq!(list[0].get("x").and_then(Node::text), Some("0.80"));
        assert_eq!((list[0].line, list[1].line, list[1].text()), (3, 5, Some("5m")));
        assert!(read("").expect("nothing is no mistake").is_none());
    }

    #[test]
    fn no_text_fills_the_memory_or_the_stack() {
        let laughs: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1)).collect();
        for (text, said) in [
            (format!("a0: &a0 [x, x]\n{laughs}"), "more than 2000000 values"),
            ("[".repeat(200), "nested more than 32 deep"),
            ("[".repeat(100_000), "the file is no YAML: recursion limit exceeded"),
            ("- ".repeat(100_000), "nested more than 32 deep"),
            ("x".repeat(MAX_BYTES + 1), "files up to 16 MB are read"),
            ("a: [1, 2".to_owned(), "the file is no YAML"),
            ("a: 1\na: 2".to_owned(), "line 2: the key `a` stands there twice"),
            ("a: *b".to_owned(), "the file is no YAML"),
        ] {
            let error = read(&text).expect_err(said).to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
