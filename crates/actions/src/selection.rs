//! Which keys a scope takes: the pattern that the server is given, and our own verdict on what it sends.

use std::collections::BTreeMap;
use std::sync::Arc;

use cachescope_engine::matcher::Matcher;
use cachescope_engine::{Engine, EngineOptions};
use cachescope_model::glob;
use cachescope_model::key::OUR_PREFIX;
use cachescope_model::strategy::{Namespace, Strategy};
use cachescope_model::template::{Part, Template};

use crate::breadth::refuse_everything;
use crate::failure::Failure;
use crate::plan::{Action, Scope, StaleBelow};

/// The most keys that may be named one by one.
const MOST_NAMED: usize = 10_000;

/// Whose a key is, by a strategy's templates.
pub struct Attribution {
    strategy: Arc<Strategy>,
    matcher: Matcher,
    engine: Engine,
}

impl Attribution {
    /// By the templates of this strategy.
    #[must_use]
    pub fn new(strategy: Arc<Strategy>) -> Self {
        let matcher = Matcher::new(&templates(&strategy));
        let engine = Engine::sharing(Arc::clone(&strategy), EngineOptions::default());
        Self { strategy, matcher, engine }
    }

    /// The strategy.
    #[must_use]
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    /// The documented namespace of a key.
    #[must_use]
    pub fn namespace(&self, database: u16, key: &[u8]) -> Option<&Namespace> {
        self.matcher.find(database, key).and_then(|found| self.strategy.namespaces.get(found.index))
    }

    /// Whether removing a key needs an override.
    #[must_use]
    pub fn is_protected(&self, database: u16, key: &[u8]) -> bool {
        self.namespace(database, key).is_some_and(|namespace| namespace.protected)
    }

    /// A step in words, with the values of masked fields replaced.
    #[must_use]
    pub fn shown_step(&self, step: &Action) -> String {
        match step {
            Action::Remove { scope: Scope::Keys { keys, database } } if keys.len() == 1 => {
                let shown = keys.first().map(|key| self.shown(*database, &key.0));
                format!("delete {}", shown.unwrap_or_default())
            }
            Action::BumpVersion { key, database } => format!("count {} up", self.shown(*database, &key.0)),
            other => other.to_string(),
        }
    }

    /// A key as it may be shown.
    #[must_use]
    pub fn shown(&self, database: u16, key: &[u8]) -> String {
        self.engine.shown_key(database, key)
    }
}

fn templates(strategy: &Strategy) -> Vec<(Template, Option<u16>)> {
    strategy.namespaces.iter().map(|namespace| (namespace.template.clone(), namespace.database)).collect()
}

/// A scope, ready to be asked.
pub struct Selection {
    database: Option<u16>,
    what: What,
}

enum What {
    Keys(Vec<Vec<u8>>),
    Pattern(Vec<u8>),
    Template {
        pattern: Vec<u8>,
        matcher: Matcher,
        index: usize,
        fields: BTreeMap<String, String>,
        stale_below: Option<StaleBelow>,
    },
    Tag(Vec<u8>),
}

impl Selection {
    /// Reads a scope.
    ///
    /// # Errors
    /// Where it would take everything, or can't be read.
    pub fn new(scope: &Scope, strategy: &Strategy) -> Result<Self, Failure> {
        match scope {
            Scope::Keys { keys, database } => {
                if keys.is_empty() {
                    return Err(Failure::bad("no key is named", "name at least one"));
                }
                if keys.len() > MOST_NAMED {
                    return Err(Failure::bad(
                        "more than 10,000 keys are named",
                        "use a pattern or a namespace",
                    ));
                }
                let mut keys: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
                keys.sort();
                keys.dedup();
                Ok(Self { database: Some(*database), what: What::Keys(keys) })
            }
            Scope::Pattern { pattern, database } => {
                refuse_everything(pattern.as_bytes())?;
                Ok(Self { database: *database, what: What::Pattern(pattern.clone().into_bytes()) })
            }
            Scope::Namespace { template, fields, stale_below, database } => {
                let template =
                    Template::parse(template).map_err(|error| Failure::bad(error.to_string(), ""))?;
                Self::of_template(template, fields, stale_below.as_ref(), *database, strategy)
            }
            Scope::Tag { set, database } => {
                if set.0.is_empty() {
                    return Err(Failure::bad("the tag's set has no name", "name it, such as tag:tenant:7"));
                }
                Ok(Self { database: Some(*database), what: What::Tag(set.0.clone()) })
            }
        }
    }

    fn of_template(
        template: Template,
        fields: &BTreeMap<String, String>,
        stale_below: Option<&StaleBelow>,
        database: Option<u16>,
        strategy: &Strategy,
    ) -> Result<Self, Failure> {
        let unknown = fields.keys().chain(stale_below.map(|stale| &stale.field));
        if let Some(name) = unknown.into_iter().find(|name| !template.fields().any(|field| field == **name)) {
            let known: Vec<_> = template.fields().collect();
            return Err(Failure::bad(
                format!("{template} has no field {name:?}; it has {}", known.join(", ")),
                "correct the name",
            ));
        }
        if let Some(name) = fields.iter().find(|(_, value)| value.is_empty()).map(|(name, _)| name) {
            return Err(Failure::bad(format!("the field {name} is empty"), "give its value"));
        }
        let pattern = pattern_of(&template, fields);
        refuse_everything(&pattern)?;
        // The strategy's own templates first: a namespace has only the keys that no more specific one names.
        let mut all = templates(strategy);
        let shape = template.shape();
        let own = all.iter().position(|(own, own_database)| {
            own.shape() == shape && (own_database.is_none() || *own_database == database)
        });
        let index = own.unwrap_or_else(|| {
            all.push((template.clone(), database));
            all.len() - 1
        });
        let database = database.or_else(|| all.get(index).and_then(|(_, database)| *database));
        // Under the asked template's own field names, which may differ from the strategy's.
        if let Some(place) = all.get_mut(index) {
            place.0 = template;
        }
        let (fields, stale_below) = (fields.clone(), stale_below.cloned());
        let what = What::Template { pattern, matcher: Matcher::new(&all), index, fields, stale_below };
        Ok(Self { database, what })
    }

    /// The database it is bound to.
    #[must_use]
    pub fn database(&self) -> Option<u16> {
        self.database
    }

    /// The pattern for SCAN; `None` where keys are named one by one.
    #[must_use]
    pub fn pattern(&self) -> Option<&[u8]> {
        match &self.what {
            What::Pattern(pattern) | What::Template { pattern, .. } => Some(pattern),
            What::Keys(_) | What::Tag(_) => None,
        }
    }

    /// The named keys.
    #[must_use]
    pub fn named(&self) -> Option<&[Vec<u8>]> {
        match &self.what {
            What::Keys(keys) => Some(keys),
            _ => None,
        }
    }

    /// The tag's set.
    #[must_use]
    pub fn tag_set(&self) -> Option<&[u8]> {
        match &self.what {
            What::Tag(set) => Some(set),
            _ => None,
        }
    }

    /// The same for the members of its tag's set.
    #[must_use]
    pub(crate) fn of_members(&self, mut members: Vec<Vec<u8>>) -> Self {
        members.retain(|key| Some(key.as_slice()) != self.tag_set() && !key.starts_with(OUR_PREFIX));
        members.sort();
        members.dedup();
        Self { database: self.database, what: What::Keys(members) }
    }

    /// Whether a key that came up belongs to it. This is the verdict that counts: nothing is removed on a
    /// server's word alone.
    #[must_use]
    pub fn takes(&self, database: u16, key: &[u8]) -> bool {
        if self.database.is_some_and(|only| only != database) || key.starts_with(OUR_PREFIX) {
            return false;
        }
        match &self.what {
            What::Keys(keys) => keys.binary_search_by(|named| named.as_slice().cmp(key)).is_ok(),
            What::Pattern(pattern) => glob::matches(pattern, key),
            // Its members are not known yet.
            What::Tag(_) => false,
            What::Template { matcher, index, fields, stale_below, .. } => {
                let Some(found) = matcher.find(database, key).filter(|found| found.index == *index) else {
                    return false;
                };
                let field = |name: &str| matcher.field(found, key, name);
                fields.iter().all(|(name, value)| field(name) == Some(value.as_bytes()))
                    && stale_below.as_ref().is_none_or(|stale| {
                        let digits = field(&stale.field).and_then(|digits| std::str::from_utf8(digits).ok());
                        // A version that can't be read as a number is not known to be stale.
                        digits
                            .and_then(|digits| digits.parse::<u64>().ok())
                            .is_some_and(|at| at < stale.version)
                    })
            }
        }
    }
}

/// The glob that matches at least the keys of a template.
fn pattern_of(template: &Template, fields: &BTreeMap<String, String>) -> Vec<u8> {
    template.parts().iter().fold(Vec::new(), |mut pattern, part| {
        match part {
            Part::Literal(bytes) => pattern.extend(glob::escape(bytes)),
            Part::Field { name, .. } => match fields.get(name) {
                Some(value) => pattern.extend(glob::escape(value.as_bytes())),
                None => pattern.push(b'*'),
            },
        }
        pattern
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::KeyName;

    fn strategy() -> Strategy {
        let namespace = |template: &str, protected: bool| Namespace {
            protected,
            ..Namespace::new(Template::parse(template).expect("a template"))
        };
        Strategy {
            namespaces: vec![
                namespace("organization:{tenantId}:{orgId}", false),
                namespace("organization:{tenantId}:list", false),
                namespace("organization:{orgId}:v{version#}", false),
                namespace("session:{id}", true),
            ],
            ..Strategy::default()
        }
    }

    fn of(template: &str, fields: &[(&str, &str)], below: Option<u64>) -> Result<Selection, Failure> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let stale_below = below.map(|version| StaleBelow { field: "version".to_owned(), version });
        let scope = Scope::Namespace { template: template.to_owned(), fields, stale_below, database: None };
        Selection::new(&scope, &strategy())
    }

    #[test]
    fn a_namespace_leaves_keys_to_the_more_specific_ones() {
        let all = of("organization:{tenantId}:{orgId}", &[], None).expect("it can be read");
        for (key, takes) in [
            ("organization:1:2", true),
            ("organization:1:list", false),
            ("organization:1:v3", false),
            ("organization:1", false),
            ("xorganization:1:2", false),
        ] {
            assert_eq!(all.takes(0, key.as_bytes()), takes, "{key}");
        }
        assert_eq!(all.pattern(), Some(&b"organization:*:*"[..]));
    }

    #[test]
    fn a_tenant_has_only_its_own_keys_and_what_it_is_called_is_no_pattern() {
        let tenant =
            of("organization:{t}:{o}", &[("t", "4*")], None).expect("other field names, the same keys");
        assert_eq!(tenant.pattern(), Some(&b"organization:4\\*:*"[..]));
        assert!(tenant.takes(0, b"organization:4*:7"));
        assert!(!tenant.takes(0, b"organization:42:7"));
    }

    #[test]
    fn versions_below_the_one_that_stays_are_stale() {
        let stale = of("organization:{orgId}:v{version#}", &[], Some(10)).expect("it can be read");
        for (key, takes) in [
            ("organization:1:v9", true),
            ("organization:1:v10", false),
            ("organization:1:v11", false),
            ("organization:1:v99999999999999999999999", false),
        ] {
            assert_eq!(stale.takes(0, key.as_bytes()), takes, "{key}");
        }
    }

    #[test]
    fn templates_that_come_to_everything_or_name_unknown_fields_are_refused() {
        for (template, fields) in [
            ("{a}:{b}", &[][..]),
            ("{all*}", &[]),
            ("", &[]),
            ("organization:{t}:{o}", &[("t", "")]),
            ("organization:{t}:{o}", &[("x", "1")]),
        ] {
            assert!(of(template, fields, None).is_err(), "{template} {fields:?}");
        }
    }

    #[test]
    fn our_own_keys_and_other_databases_are_never_taken() {
        let scope = Scope::Pattern { pattern: "cache*".to_owned(), database: Some(2) };
        let selection = Selection::new(&scope, &strategy()).expect("it names something");
        assert!(selection.takes(2, b"cache:1"));
        assert!(!selection.takes(1, b"cache:1"));
        assert!(!selection.takes(2, b"cachescope:lock:purge"));
        let keys = vec![KeyName(b"a\x00b".to_vec())];
        let named = Selection::new(&Scope::Keys { keys, database: 0 }, &strategy()).expect("one is named");
        assert!(named.takes(0, b"a\x00b") && !named.takes(0, b"a"));
        assert!(Attribution::new(Arc::new(strategy())).is_protected(0, b"session:1"));
    }
}
