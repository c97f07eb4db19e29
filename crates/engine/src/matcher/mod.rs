//! Which template names a key: all templates compiled into one trie, tried most specific first.
//!
//! At each place a literal goes before a digits field, that before a plain field, and that before a rest
//! field; where a choice leads nowhere, the next one is tried. So `organization:{t}:list` takes
//! `organization:7:list` although `organization:{t}:{id}` would fit too. A template that names a logical
//! database goes before every one that does not.

mod search;
mod trie;

use std::sync::OnceLock;

use cachescope_model::template::Template;
use hashbrown::HashMap;

use search::Search;
use trie::Trie;

/// Templates, compiled.
#[derive(Clone, Debug)]
pub struct Matcher {
    everywhere: Trie,
    by_database: HashMap<u16, Trie>,
    /// Each template alone, to find its fields.
    single: Vec<Single>,
}

/// One template, compiled when its fields are asked for the first time.
#[derive(Clone, Debug)]
struct Single {
    template: Template,
    compiled: OnceLock<Box<(Trie, Vec<String>)>>,
}

impl Single {
    fn compiled(&self) -> &(Trie, Vec<String>) {
        self.compiled.get_or_init(|| {
            let mut alone = Trie::new();
            alone.add(&self.template, 0);
            Box::new((alone.finish(), self.template.fields().map(str::to_owned).collect()))
        })
    }
}

/// Which template named a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Match {
    /// Its place in the list that [`Matcher::new`] was given.
    pub index: usize,
}

impl Matcher {
    /// Compiles templates, each for one logical database or for all.
    ///
    /// Of two templates with the same shape and database the first wins.
    #[must_use]
    pub fn new(templates: &[(Template, Option<u16>)]) -> Self {
        let mut everywhere = Trie::new();
        let mut by_database: HashMap<u16, Trie> = HashMap::new();
        let mut single = Vec::with_capacity(templates.len());
        for (index, (template, database)) in templates.iter().enumerate() {
            let trie = match database {
                Some(database) => by_database.entry(*database).or_insert_with(Trie::new),
                None => &mut everywhere,
            };
            trie.add(template, index as u32);
            single.push(Single { template: template.clone(), compiled: OnceLock::new() });
        }
        let by_database = by_database.into_iter().map(|(database, trie)| (database, trie.finish())).collect();
        Self { everywhere: everywhere.finish(), by_database, single }
    }

    /// The template that names this key in this logical database.
    ///
    /// The work is bounded by the key's length times the number of places in the templates, for any key.
    #[must_use]
    pub fn find(&self, database: u16, key: &[u8]) -> Option<Match> {
        let own = if self.by_database.is_empty() { None } else { self.by_database.get(&database) };
        own.and_then(|trie| Search::new(trie, key).find())
            .or_else(|| Search::new(&self.everywhere, key).find())
            .map(|index| Match { index: index as usize })
    }

    /// The bytes of a named field of a key that [`Self::find`] matched, such as its tenant.
    #[must_use]
    pub fn field<'k>(&self, found: Match, key: &'k [u8], name: &str) -> Option<&'k [u8]> {
        let (trie, names) = self.single.get(found.index)?.compiled();
        let place = names.iter().position(|field| field == name)?;
        let (_, fields) = Search::new(trie, key).fields()?;
        fields.get(place).and_then(|(start, end)| key.get(*start..*end))
    }
}

#[cfg(test)]
mod tests;
