//! Which namespace a key belongs to, by the lab's own reading of the templates.
//!
//! Written apart from the product's matcher on purpose: the truth must not share its defects.

use std::collections::HashMap;

use cachescope_model::template::{FieldKind, Part, SEPARATOR, Template};

use crate::namespace::TENANT_FIELD;

/// What a key was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'key> {
    /// The place of the template among those the keyring was made of.
    pub namespace: usize,
    /// The bytes in the tenant field.
    pub tenant: Option<&'key [u8]>,
}

/// Templates, sorted so that the first that matches is the most specific.
#[derive(Debug, Default)]
pub struct Keyring {
    /// By the literal up to and with the first separator; templates that start otherwise are under "".
    by_prefix: HashMap<Vec<u8>, Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    namespace: usize,
    literal_bytes: usize,
    parts: Vec<Part>,
}

impl Keyring {
    /// Sorts the templates.
    pub fn new<'a>(templates: impl Iterator<Item = &'a Template>) -> Self {
        let mut by_prefix: HashMap<Vec<u8>, Vec<Entry>> = HashMap::new();
        for (namespace, template) in templates.enumerate() {
            let parts = template.parts().to_vec();
            let literal = |part: &Part| if let Part::Literal(bytes) = part { bytes.len() } else { 0 };
            let literal_bytes = parts.iter().map(literal).sum();
            let prefix = match parts.first() {
                Some(Part::Literal(bytes)) => first_segment(bytes).unwrap_or_default().to_vec(),
                _ => Vec::new(),
            };
            by_prefix.entry(prefix).or_default().push(Entry { namespace, literal_bytes, parts });
        }
        for entries in by_prefix.values_mut() {
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.literal_bytes));
        }
        Self { by_prefix }
    }

    /// The most specific template that matches.
    #[must_use]
    pub fn find<'key>(&self, key: &'key [u8]) -> Option<Found<'key>> {
        let with_prefix = first_segment(key).and_then(|prefix| self.by_prefix.get(prefix));
        let without = self.by_prefix.get(&[][..]);
        with_prefix.into_iter().chain(without).flatten().find_map(|entry| {
            let mut tenant = None;
            matches(&entry.parts, key, &mut tenant).then_some(Found { namespace: entry.namespace, tenant })
        })
    }
}

fn first_segment(bytes: &[u8]) -> Option<&[u8]> {
    bytes.iter().position(|byte| *byte == SEPARATOR).map(|end| &bytes[..=end])
}

fn matches<'key>(parts: &[Part], key: &'key [u8], tenant: &mut Option<&'key [u8]>) -> bool {
    let Some((first, rest)) = parts.split_first() else { return key.is_empty() };
    let (name, kind) = match first {
        Part::Literal(bytes) => {
            return key.strip_prefix(bytes.as_slice()).is_some_and(|tail| matches(rest, tail, tenant));
        }
        Part::Field { name, kind } => (name, *kind),
    };
    let fits = |byte: &u8| match kind {
        FieldKind::Digits => byte.is_ascii_digit(),
        FieldKind::Segment => *byte != SEPARATOR,
        FieldKind::Rest => true,
    };
    let longest = key.iter().take_while(|byte| fits(byte)).count();
    let shortest = if kind == FieldKind::Rest { longest.max(1) } else { 1 };
    let found = (shortest..=longest).find(|length| matches(rest, &key[*length..], tenant));
    if let Some(length) = found
        && name == TENANT_FIELD
    {
        *tenant = Some(&key[..length]);
    }
    found.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_template_takes_the_key() {
        let texts = [
            "organization:{tenantId}:{orgId}",
            "organization:{tenantId}:list",
            "organization:{orgId}:v{version#}",
            "analytics:{tenantId}",
            "analytics:{tenantId}:realtime",
            "appointments:{tenantId}:{rest*}",
        ];
        let templates = texts.map(|text| Template::parse(text).expect(text));
        let keyring = Keyring::new(templates.iter());
        for (key, template, tenant) in [
            ("organization:t1:o5", Some(0), Some("t1")),
            ("organization:t1:list", Some(1), Some("t1")),
            ("organization:o5:v12", Some(2), None),
            ("organization:o5:vx", Some(0), Some("o5")),
            ("analytics:t1", Some(3), Some("t1")),
            ("analytics:t1:realtime", Some(4), Some("t1")),
            ("analytics:t1:other", None, None),
            ("appointments:t1:a:b:c", Some(5), Some("t1")),
            ("appointments:t1:", None, None),
            ("", None, None),
        ] {
            let found = keyring.find(key.as_bytes());
            assert_eq!(found.map(|it| it.namespace), template, "{key}");
            assert_eq!(found.and_then(|it| it.tenant), tenant.map(str::as_bytes), "{key}");
        }
    }
}
