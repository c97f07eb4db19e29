//! One table of the file while it is read: every key is asked for once, what nobody asked for is unknown.

use std::cell::RefCell;
use std::time::Duration;

use cachescope_model::duration;
use cachescope_model::template::Template;
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
        self.table.get(key).map_or(self.line, |value| self.context.report.line(value.span().start))
    }

    pub(crate) fn error(&self, key: &str, message: impl Into<String>) {
        self.context.report.error(self.line_of(key), &self.place, message);
    }

    pub(crate) fn warning(&self, key: &str, message: impl Into<String>) {
        self.context.report.warning(self.line_of(key), &self.place, message);
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
        self.error(key, format!("`{key}` is {} {}; write {wanted}", article(found), found.type_str()));
    }

    /// Text.
    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        let found = self.get(key)?.get_ref();
        if found.as_str().is_none() {
            self.wrong_type(key, found, &format!("text in quotes: {key} = \"…\""));
        }
        found.as_str().map(str::to_owned)
    }

    /// Text, empty where the key is absent.
    pub(crate) fn text_or_empty(&self, key: &'static str) -> String {
        self.text(key).unwrap_or_default()
    }

    /// Text that must be there.
    pub(crate) fn required_text(&self, key: &'static str, example: &str) -> String {
        if !self.has(key) {
            self.missing(key, example);
        }
        let text = self.text(key).unwrap_or_default();
        if text.is_empty() && self.table.get(key).is_some_and(|value| value.get_ref().is_str()) {
            self.error(key, format!("`{key}` is empty; write something like {key} = {example}"));
        }
        text
    }

    /// Says that a key has to be there.
    pub(crate) fn missing(&self, key: &str, example: &str) {
        self.error("", format!("`{key}` is missing; write {key} = {example}"));
    }

    /// Text that `read` understands; its error is the whole message.
    pub(crate) fn read<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key)?;
        read(&text).map_err(|message| self.error(key, format!("`{key}`: {message}"))).ok()
    }

    /// The short name by which the table is known: read, checked, entered, and part of messages from here on.
    pub(crate) fn named(&mut self, kind: Kind) -> String {
        if !self.has("name") {
            self.missing("name", &format!("\"…\", a short name that no other {} has", kind.word()));
        }
        let written = self.text("name").unwrap_or_default();
        self.place = format!("{} {written:?}", kind.word());
        if self.has("name") {
            let Some(name) = self.read("name", value::name) else { return written };
            let line = self.line_of("name");
            if let Some(earlier) = self.context.names.define(kind, &name, line) {
                self.error(
                    "name",
                    format!("line {earlier} has the same name; give one of the two another name"),
                );
            }
        }
        written
    }

    /// A duration such as `15m`.
    pub(crate) fn duration(&self, key: &'static str) -> Option<Duration> {
        let found = self.get(key)?.get_ref();
        if let Some(seconds) = found.as_integer() {
            self.error(
                key,
                format!("`{key}` has no unit; write {key} = \"{}s\" for seconds", seconds.as_str()),
            );
            return None;
        }
        self.read(key, |text| duration::parse(text).map_err(|error| error.to_string()))
    }

    /// A size such as `2 KB`, or a plain number of bytes.
    pub(crate) fn bytes(&self, key: &'static str) -> Option<u64> {
        let found = self.get(key)?.get_ref();
        if found.is_integer() { self.integer(key) } else { self.read(key, value::bytes) }
    }

    /// A number; whole numbers count too.
    pub(crate) fn number(&self, key: &'static str) -> Option<f64> {
        let found = self.get(key)?.get_ref();
        let number = match found {
            DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(integer) => integer.to_string().replace('_', "").parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong_type(key, found, &format!("a number: {key} = 0.8"));
        }
        number
    }

    /// A ratio from 0 to 1.
    pub(crate) fn ratio(&self, key: &'static str) -> Option<f64> {
        let number = self.number(key)?;
        value::ratio(number).map_err(|message| self.error(key, format!("`{key}`: {message}"))).ok()
    }

    /// A whole number from 0.
    pub(crate) fn integer(&self, key: &'static str) -> Option<u64> {
        let found = self.get(key)?.get_ref();
        let number = found.as_integer().and_then(|integer| {
            u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
        });
        if number.is_none() {
            self.wrong_type(key, found, &format!("a whole number from 0: {key} = 100"));
        }
        number
    }

    /// A whole number from 0 to `u32::MAX`.
    pub(crate) fn small_integer(&self, key: &'static str) -> Option<u32> {
        let number = self.integer(key)?;
        u32::try_from(number)
            .map_err(|_| {
                self.error(key, format!("`{key}`: {number} is too large; write at most {}", u32::MAX))
            })
            .ok()
    }

    /// `true` or `false`, `false` where the key is absent.
    pub(crate) fn flag(&self, key: &'static str) -> bool {
        let Some(found) = self.get(key) else { return false };
        let flag = found.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, found.get_ref(), &format!("true or false without quotes: {key} = true"));
        }
        flag.unwrap_or_default()
    }

    /// A list of texts, empty where the key is absent.
    pub(crate) fn texts(&self, key: &'static str) -> Vec<String> {
        let Some(found) = self.get(key) else { return Vec::new() };
        let wanted = format!("a list of texts: {key} = [\"…\", \"…\"]");
        let Some(array) = found.get_ref().as_array() else {
            self.wrong_type(key, found.get_ref(), &wanted);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => self.context.report.error(
                    self.context.report.line(item.span().start),
                    &self.place,
                    format!(
                        "`{key}` holds {} {}; write {wanted}",
                        article(item.get_ref()),
                        item.get_ref().type_str()
                    ),
                ),
            }
        }
        texts
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
        let read = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let name: &std::borrow::Cow<'_, str> = name.get_ref();
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(integer) => integer.to_string(),
                DeValue::Float(float) => float.to_string(),
                DeValue::Boolean(flag) => flag.to_string(),
                other => {
                    let line = self.context.report.line(value.span().start);
                    self.context.report.error(
                        line,
                        &self.place,
                        format!(
                            "`{key}.{name}` is {} {}; write text in quotes",
                            article(other),
                            other.type_str()
                        ),
                    );
                    return None;
                }
            };
            Some((name.to_string(), text))
        };
        pairs.into_iter().filter_map(read).collect()
    }

    /// A template.
    pub(crate) fn template(&self, key: &'static str) -> Option<Template> {
        self.read(key, |text| Template::parse(text).map_err(|error| error.to_string()))
    }

    /// A list of templates, empty where the key is absent.
    pub(crate) fn templates(&self, key: &'static str) -> Vec<Template> {
        let parse = |text: String| match Template::parse(&text) {
            Ok(template) => Some(template),
            Err(error) => {
                self.error(key, format!("`{key}`: {error}"));
                None
            }
        };
        self.texts(key).into_iter().filter_map(parse).collect()
    }

    /// The name of something else in the file; whether it is there is checked at the end.
    pub(crate) fn reference(&self, key: &'static str, kind: Kind) -> Option<String> {
        let name = self.text(key)?;
        self.context.names.refer(kind, &name, self.line_of(key), &self.place);
        Some(name)
    }

    /// Names of other things in the file, empty where the key is absent.
    pub(crate) fn references(&self, key: &'static str, kind: Kind) -> Vec<String> {
        let names = self.texts(key);
        for name in &names {
            self.context.names.refer(kind, name, self.line_of(key), &self.place);
        }
        names
    }

    /// A single table.
    pub(crate) fn table(&self, key: &'static str) -> Option<Section<'a>> {
        let found = self.get(key)?;
        let Some(table) = found.get_ref().as_table() else {
            self.wrong_type(key, found.get_ref(), &format!("a table: [{key}]"));
            return None;
        };
        let line = self.context.report.line(found.span().start);
        Some(Section::new(self.context, table, key, line))
    }

    /// A list of tables, in the file's order.
    pub(crate) fn tables(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(found) = self.get(key) else { return Vec::new() };
        let wanted = format!("a list of tables: [[{key}]]");
        let Some(array) = found.get_ref().as_array() else {
            self.wrong_type(key, found.get_ref(), &wanted);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array.iter() {
            let line = self.context.report.line(item.span().start);
            let place = if self.place.is_empty() { key.to_owned() } else { format!("{}: {key}", self.place) };
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section::new(self.context, table, place, line)),
                None => self.context.report.error(
                    line,
                    &self.place,
                    format!(
                        "`{key}` holds {} {}; write {wanted}",
                        article(item.get_ref()),
                        item.get_ref().type_str()
                    ),
                ),
            }
        }
        sections
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
            self.context.report.error(line, &self.place, format!("`{written}` is not known here; {remedy}"));
        }
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Integer(_) | DeValue::Array(_) => "an",
        _ => "a",
    }
}
