//! Several values: lists of texts, tables of texts, tables within tables.

use cachescope_model::template::Template;
use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::{Section, called};
use crate::names::Kind;
use crate::value;

impl<'a> Section<'a> {
    /// Whether the key holds a list of nothing.
    pub(crate) fn is_empty(&self, key: &'static str) -> bool {
        let list = self.get(key).and_then(|found| found.get_ref().as_array());
        list.is_some_and(|list| list.is_empty())
    }

    /// A list of texts, empty where the key is absent.
    pub(crate) fn texts(&self, key: &'static str) -> Vec<String> {
        self.placed_texts(key).into_iter().map(|(text, _)| text).collect()
    }

    /// A list of texts and the line of each.
    fn placed_texts(&self, key: &'static str) -> Vec<(String, usize)> {
        let Some(found) = self.get(key) else { return Vec::new() };
        let wanted = format!("a list of texts: {key} = [\"…\", \"…\"]");
        let Some(array) = found.get_ref().as_array() else {
            self.wrong_type(key, found.get_ref(), &wanted);
            return Vec::new();
        };
        let read = |item: &Spanned<DeValue<'_>>| {
            let Some(text) = item.get_ref().as_str() else {
                self.wrong_item(key, item, &wanted);
                return None;
            };
            Some((text.to_owned(), self.line_at(item)))
        };
        array.iter().filter_map(read).collect()
    }

    /// A list of templates, empty where the key is absent.
    pub(crate) fn templates(&self, key: &'static str) -> Vec<Template> {
        let parse = |(text, line): (String, usize)| match value::template(&text) {
            Ok(template) => Some(template),
            Err(error) => {
                self.context.report.error(line, &self.place, format!("`{key}`: {error}"));
                None
            }
        };
        self.placed_texts(key).into_iter().filter_map(parse).collect()
    }

    /// Names of other things in the file, empty where the key is absent.
    pub(crate) fn references(&self, key: &'static str, kind: Kind) -> Vec<String> {
        let names = self.placed_texts(key);
        for (name, line) in &names {
            self.context.names.refer(kind, name, *line, &self.place);
        }
        names.into_iter().map(|(name, _)| name).collect()
    }

    /// A table of texts in the file's order, empty where the key is absent; numbers and flags count as text.
    pub(crate) fn pairs(&self, key: &'static str) -> Vec<(String, String)> {
        let Some(found) = self.get(key) else { return Vec::new() };
        let Some(table) = found.get_ref().as_table() else {
            self.wrong_type(key, found.get_ref(), &format!("a table: {key} = {{ \"…\" = \"…\" }}"));
            return Vec::new();
        };
        let mut pairs: Vec<_> = table.iter().collect();
        pairs.sort_by_key(|(name, _)| name.span().start);
        let read = |(name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
            let name: &str = name.get_ref();
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(integer) => integer.to_string(),
                DeValue::Float(float) => float.to_string(),
                DeValue::Boolean(flag) => flag.to_string(),
                other => {
                    let message = format!("`{key}.{name}` is {}; write text in quotes", called(other));
                    self.context.report.error(self.line_at(value), &self.place, message);
                    return None;
                }
            };
            Some((name.to_owned(), text))
        };
        pairs.into_iter().filter_map(read).collect()
    }

    /// A single table.
    pub(crate) fn table(&self, key: &'static str) -> Option<Section<'a>> {
        let found = self.get(key)?;
        let Some(table) = found.get_ref().as_table() else {
            self.wrong_type(key, found.get_ref(), &format!("a table: [{key}]"));
            return None;
        };
        Some(Section::new(self.context, table, key, self.line_at(found)))
    }

    /// A list of tables, in the file's order.
    pub(crate) fn tables(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(found) = self.get(key) else { return Vec::new() };
        let wanted = format!("a list of tables: [[{key}]]");
        let Some(array) = found.get_ref().as_array() else {
            self.wrong_type(key, found.get_ref(), &wanted);
            return Vec::new();
        };
        let place = if self.place.is_empty() { key.to_owned() } else { format!("{}: {key}", self.place) };
        let read = |item: &'a Spanned<DeValue<'a>>| {
            let Some(table) = item.get_ref().as_table() else {
                self.wrong_item(key, item, &wanted);
                return None;
            };
            Some(Section::new(self.context, table, place.clone(), self.line_at(item)))
        };
        array.iter().filter_map(read).collect()
    }
}
