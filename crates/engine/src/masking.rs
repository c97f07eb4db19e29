//! Keys as they may be shown: a strategy marks fields whose values are nobody's business.

use std::fmt::Write;

use cachescope_model::key::printable;

use crate::engine::Engine;

/// Bytes of a key's hash that stand for a masked value: enough to tell a table's keys apart, too few to guess
/// the value by trying.
const TAG_MASK: u64 = 0xffff;

impl Engine {
    /// A key as one line of text, with the values of masked fields replaced by a short mark. The mark is the
    /// same for the same key as long as this engine lives, and says nothing about the value.
    ///
    /// Every key that leaves the engine for a view, a log or an export goes through here.
    #[must_use]
    pub fn shown_key(&self, database: u16, key: &[u8]) -> String {
        let Some(found) = self.matcher.find(database, key) else { return printable(key) };
        let Some(namespace) = self.strategy.namespaces.get(found.index) else { return printable(key) };
        let mut hidden: Vec<(usize, usize)> = Vec::new();
        for name in &namespace.facts.masked {
            if let Some(value) = self.matcher.field(found, key, name) {
                // A field is a part of the key: where it begins is how far apart the two begin.
                let start = (value.as_ptr() as usize).saturating_sub(key.as_ptr() as usize);
                hidden.push((start, start + value.len()));
            }
        }
        if hidden.is_empty() {
            return printable(key);
        }
        hidden.sort_unstable();
        let tag = self.hashing.key(database, key) & TAG_MASK;
        let (mut text, mut at) = (String::new(), 0);
        for (start, end) in hidden {
            text.push_str(&printable(key.get(at..start).unwrap_or_default()));
            // Writing to a string can't fail.
            let _ = write!(text, "‹masked {tag:04x}›");
            at = end.max(at);
        }
        text.push_str(&printable(key.get(at..).unwrap_or_default()));
        text
    }
}

#[cfg(test)]
mod tests {
    use cachescope_model::strategy::{Namespace, NamespaceFacts, Strategy};
    use cachescope_model::template::Template;

    use super::*;
    use crate::EngineOptions;

    fn namespace(template: &str, masked: &[&str]) -> Namespace {
        Namespace {
            name: template.to_owned(),
            title: template.to_owned(),
            template: Template::parse(template).expect("a template"),
            facts: NamespaceFacts {
                masked: masked.iter().map(|name| (*name).to_owned()).collect(),
                ..NamespaceFacts::default()
            },
            database: None,
            tenant: None,
            version: None,
            ttl: None,
            hit_rate_target: None,
            metric_labels: Vec::new(),
            protected: false,
            invalidated_on: Vec::new(),
        }
    }

    #[test]
    fn masked_values_are_shown_nowhere_and_their_keys_can_still_be_told_apart() {
        let strategy = Strategy {
            namespaces: vec![namespace("session:{token}:of:{user}", &["token"]), namespace("open:{id}", &[])],
            ..Strategy::default()
        };
        let engine = Engine::new(&strategy, EngineOptions::default());
        let one = engine.shown_key(0, b"session:s3cret:of:7");
        let other = engine.shown_key(0, b"session:s3cre7:of:7");
        assert!(one.starts_with("session:‹masked ") && one.ends_with("›:of:7"), "{one}");
        assert_eq!(one, engine.shown_key(0, b"session:s3cret:of:7"));
        assert_ne!(one, other);
        assert!(!one.contains("s3cret"), "{one}");
        assert_eq!(engine.shown_key(0, b"open:\xff"), "open:\\xff");
        assert_eq!(engine.shown_key(0, b"nobody:s3cret"), "nobody:s3cret");
    }
}
