//! Templates name namespaces: literal text with `{field}` placeholders.
//!
//! | written | matches |
//! |---|---|
//! | `user:{userId}` | `user:` and one or more bytes other than `:` |
//! | `{name}` next to other literals (`{a}-{b}`) | the shortest run of bytes other than `:` that lets the rest match |
//! | `v{version#}` | one or more ASCII digits |
//! | `entity:{rest*}` | the rest of the key, one or more bytes of any kind; only at the end |
//! | `{{` and `}}` | a literal brace, as in Cluster hash tags |
//!
//! Text is UTF-8 in a template; keys are bytes and fields match any bytes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The byte that a plain field never contains.
pub const SEPARATOR: u8 = b':';

/// What a field accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FieldKind {
    /// One or more ASCII digits: `{name#}`.
    Digits,
    /// One or more bytes other than [`SEPARATOR`]: `{name}`.
    Segment,
    /// One or more bytes of any kind, to the end of the key: `{name*}`.
    Rest,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Exactly these bytes.
    Literal(Vec<u8>),
    /// A placeholder.
    Field {
        /// Its name, unique within the template.
        name: String,
        /// What it accepts.
        kind: FieldKind,
    },
}

/// A namespace's template, parsed. Cloning it copies nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: Arc<str>,
    parts: Arc<[Part]>,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing to match.
    #[error("a template must not be empty")]
    Empty,
    /// `{` without `}`.
    #[error("template {0:?}: a brace is not closed; write {{{{ or }}}} for a literal brace")]
    Unclosed(String),
    /// `}` without `{`.
    #[error("template {0:?}: a brace closes nothing; write {{{{ or }}}} for a literal brace")]
    Unopened(String),
    /// `{}` or a name with other characters than letters, digits, `_` and `-`.
    #[error(
        "template {0:?}: {1:?} is no field name; use letters, digits, _ and -, with # or * at the end where wanted"
    )]
    FieldName(String, String),
    /// The same name twice.
    #[error("template {0:?}: the field {1:?} stands in it twice")]
    DuplicateField(String, String),
    /// `{a}{b}`.
    #[error("template {0:?}: two fields touch; put a literal between them")]
    Adjacent(String),
    /// `{rest*}` before the end.
    #[error("template {0:?}: a rest field may only stand at the end")]
    RestNotLast(String),
    /// Only fields: it would take every key.
    #[error("template {0:?}: it needs at least one literal character, or it would match everything")]
    NoLiteral(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A sentence that names the template, what is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let of = |make: fn(String) -> TemplateError| make(text.to_owned());
        if text.is_empty() {
            return Err(TemplateError::Empty);
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = Vec::new();
        let mut bytes = text.bytes().enumerate().peekable();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'{' if bytes.next_if(|(_, next)| *next == b'{').is_some() => literal.push(b'{'),
                b'}' if bytes.next_if(|(_, next)| *next == b'}').is_some() => literal.push(b'}'),
                b'}' => return Err(of(TemplateError::Unopened)),
                b'{' => {
                    let end = text[at..].find('}').ok_or_else(|| of(TemplateError::Unclosed))? + at;
                    let field = Self::field(text, &text[at + 1..end])?;
                    while bytes.next_if(|(place, _)| *place <= end).is_some() {}
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    } else if matches!(parts.last(), Some(Part::Field { .. })) {
                        return Err(of(TemplateError::Adjacent));
                    }
                    parts.push(field);
                }
                other => literal.push(other),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Self::check(text, &parts)?;
        Ok(Self { text: text.into(), parts: parts.into() })
    }

    fn field(template: &str, written: &str) -> Result<Part, TemplateError> {
        let (name, kind) = match written.as_bytes().last() {
            Some(b'#') => (&written[..written.len() - 1], FieldKind::Digits),
            Some(b'*') => (&written[..written.len() - 1], FieldKind::Rest),
            _ => (written, FieldKind::Segment),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(fits) {
            return Err(TemplateError::FieldName(template.to_owned(), written.to_owned()));
        }
        Ok(Part::Field { name: name.to_owned(), kind })
    }

    fn check(text: &str, parts: &[Part]) -> Result<(), TemplateError> {
        let mut seen = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            let Part::Field { name, kind } = part else { continue };
            if seen.contains(&name) {
                return Err(TemplateError::DuplicateField(text.to_owned(), name.clone()));
            }
            seen.push(name);
            if *kind == FieldKind::Rest && place + 1 != parts.len() {
                return Err(TemplateError::RestNotLast(text.to_owned()));
            }
        }
        let has_letter = |part: &Part| match part {
            Part::Literal(bytes) => bytes.iter().any(|byte| *byte != SEPARATOR),
            Part::Field { .. } => false,
        };
        if !parts.iter().any(has_letter) {
            return Err(TemplateError::NoLiteral(text.to_owned()));
        }
        Ok(())
    }

    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same, shared with it.
    #[must_use]
    pub fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// Its pieces in order; literals and fields never follow their own kind, except that a literal may end it.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The names of its fields in order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field { name, .. } => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// Its shape without field names: two templates of one shape match the same keys.
    #[must_use]
    pub fn shape(&self) -> Vec<Part> {
        let nameless = |part: &Part| match part {
            Part::Field { kind, .. } => Part::Field { name: String::new(), kind: *kind },
            Part::Literal(bytes) => Part::Literal(bytes.clone()),
        };
        self.parts.iter().map(nameless).collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Part {
        Part::Literal(text.as_bytes().to_vec())
    }

    fn field(name: &str, kind: FieldKind) -> Part {
        Part::Field { name: name.to_owned(), kind }
    }

    #[test]
    fn templates_fall_into_literals_and_fields() {
        let cases: [(&str, Vec<Part>); 4] = [
            ("cache:dashboard:stats", vec![literal("cache:dashboard:stats")]),
            (
                "organization:{tenantId}:{orgId}",
                vec![
                    literal("organization:"),
                    field("tenantId", FieldKind::Segment),
                    literal(":"),
                    field("orgId", FieldKind::Segment),
                ],
            ),
            (
                "dashboard:tile:{tile}:v{version#}",
                vec![
                    literal("dashboard:tile:"),
                    field("tile", FieldKind::Segment),
                    literal(":v"),
                    field("version", FieldKind::Digits),
                ],
            ),
            ("{{t1}}:{rest*}", vec![literal("{t1}:"), field("rest", FieldKind::Rest)]),
        ];
        for (text, parts) in cases {
            assert_eq!(Template::parse(text).expect(text).parts(), parts, "{text}");
        }
    }

    #[test]
    fn bad_templates_are_refused_with_the_reason() {
        for (text, words) in [
            ("", "must not be empty"),
            ("user:{id", "not closed"),
            ("user:id}", "closes nothing"),
            ("user:{}", "no field name"),
            ("user:{a b}", "no field name"),
            ("a:{x}:{x}", "twice"),
            ("a:{x}{y}", "two fields touch"),
            ("a:{x*}:b", "only stand at the end"),
            ("{all*}", "match everything"),
            ("{a}:{b}", "match everything"),
        ] {
            let error = Template::parse(text).expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
