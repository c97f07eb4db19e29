//! One table of the file while it is read: every key is asked for, what nobody asked for is unknown.

mod lists;
mod scalars;

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::names::{Kind, Names};
use crate::problem::{Report, nearest};
use crate::value;

/// What reading needs besides the text.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) report: &'a Report<'a>,
    pub(crate) names: &'a Names,
}

/// A table, where it stands and which of its keys have been asked for.
pub(crate) struct Section<'a> {
    context: Context<'a>,
    table: &'a DeTable<'a>,
    place: String,
    line: usize,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    pub(crate) fn new(
        context: Context<'a>,
        table: &'a DeTable<'a>,
        place: impl Into<String>,
        line: usize,
    ) -> Self {
        Self { context, table, place: place.into(), line, asked: RefCell::default() }
    }

    /// The line of a key's value, or the table's where the key is absent.
    pub(crate) fn line_of(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.line, |value| self.line_at(value))
    }

    fn line_at(&self, value: &Spanned<DeValue<'_>>) -> usize {
        self.context.report.line(value.span().start)
    }

    pub(crate) fn error(&self, key: &str, message: impl Into<String>) {
        self.context.report.error(self.line_of(key), &self.place, message);
    }

    pub(crate) fn warning(&self, key: &str, message: impl Into<String>) {
        self.context.report.warning(self.line_of(key), &self.place, message);
    }

    /// Says that a key has to be there.
    pub(crate) fn missing(&self, key: &str, example: &str) {
        self.context.report.error(
            self.line,
            &self.place,
            format!("`{key}` is missing; write {key} = {example}"),
        );
    }

    /// Whether the key is there; counts as asked for.
    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    fn wrong_type(&self, key: &str, found: &DeValue<'_>, wanted: &str) {
        self.error(key, format!("`{key}` is {}; write {wanted}", called(found)));
    }

    fn wrong_item(&self, key: &str, found: &Spanned<DeValue<'_>>, wanted: &str) {
        let message = format!("`{key}` holds {}; write {wanted}", called(found.get_ref()));
        self.context.report.error(self.line_at(found), &self.place, message);
    }

    /// The short name by which the table is known: read, checked, entered, and part of messages from here on.
    pub(crate) fn named(&mut self, kind: Kind) -> String {
        if !self.has("name") {
            self.missing("name", &format!("\"…\", a short name that no other {} has", kind.word()));
        }
        let Some(written) = self.text("name") else { return String::new() };
        self.place = format!("{} {written:?}", kind.word());
        match value::name(&written) {
            Err(message) => self.error("name", format!("`name`: {message}")),
            Ok(name) => {
                let earlier = self.context.names.define(kind, &name, self.line_of("name"));
                if let Some(earlier) = earlier {
                    let message =
                        format!("line {earlier} has the same name; give one of the two another name");
                    self.error("name", message);
                }
            }
        }
        written
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self) {
        let asked = self.asked.borrow();
        for key in self.table.keys() {
            let written: &str = key.get_ref();
            if asked.contains(&written) {
                continue;
            }
            let mut known: Vec<&str> = asked.to_vec();
            known.sort_unstable();
            known.dedup();
            let remedy = match nearest(written, known.iter().copied()) {
                Some(meant) => format!("write `{meant}`"),
                None => format!("write one of {}", known.join(", ")),
            };
            let line = self.context.report.line(key.span().start);
            let message = format!("`{written}` is not known here; {remedy}");
            self.context.report.error(line, &self.place, message);
        }
    }
}

/// What a value is, with its article.
fn called(value: &DeValue<'_>) -> String {
    let article = if matches!(value, DeValue::Integer(_) | DeValue::Array(_)) { "an" } else { "a" };
    format!("{article} {}", value.type_str())
}
