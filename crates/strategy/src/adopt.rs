//! Takes namespaces that were found into a strategy file's text.
//!
//! What stands in the file stays byte for byte, comments included: new tables are added at its end. What was
//! seen of a namespace is written as a comment, never as its documented time to live: a team decides what is
//! meant, a tool only tells what is.

use std::fmt::Write;
use std::time::Duration;

use cachescope_model::duration;
use cachescope_model::strategy::Strategy;
use cachescope_model::template::Template;

use crate::document::parse;
use crate::problem::StrategyError;

/// A namespace that no strategy documents, with what was seen of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its template, as discovery named it.
    pub template: Template,
    /// Its keys at the last complete scan.
    pub keys: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// Median time to live left, of the keys that have one.
    pub ttl: Option<Duration>,
    /// Share of its keys without a time to live, 0 to 1.
    pub no_ttl: Option<f64>,
}

/// A strategy file with found namespaces in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoption {
    /// The whole file.
    pub text: String,
    /// What was added to it.
    pub added: String,
    /// Names of the added namespaces.
    pub names: Vec<String>,
}

/// Adds namespaces to a strategy file's text; an empty text begins a new file with this name and title.
/// Templates that the file has already are left out.
///
/// # Errors
/// Where the text can't be read before or after, such as a file that writes its namespaces in one line
/// (`namespace = [{ … }]`), to which no table can be added.
pub fn adopt(
    file_name: &str,
    text: &str,
    new_file: (&str, &str),
    found: &[Found],
) -> Result<Adoption, StrategyError> {
    let known = if text.trim().is_empty() { Strategy::default() } else { parse(file_name, text)? };
    let mut names: Vec<String> = known.namespaces.iter().map(|namespace| namespace.name.clone()).collect();
    let before = names.len();
    let mut templates: Vec<&str> =
        known.namespaces.iter().map(|namespace| namespace.template.as_str()).collect();
    let mut added = String::new();
    for one in found {
        if templates.contains(&one.template.as_str()) {
            continue;
        }
        templates.push(one.template.as_str());
        let name = free_name(&one.template, &names);
        block(&mut added, &name, one);
        names.push(name);
    }
    let mut whole = text.to_owned();
    if text.trim().is_empty() {
        let (name, title) = new_file;
        whole = format!("name = {}\ntitle = {}\n", quoted(name), quoted(title));
    }
    if !whole.ends_with('\n') {
        whole.push('\n');
    }
    whole.push_str(&added);
    if names.len() > before {
        parse(file_name, &whole)?;
    }
    Ok(Adoption { text: whole, added, names: names.split_off(before) })
}

/// One `[[namespace]]`.
fn block(text: &mut String, name: &str, found: &Found) {
    // Writing to a string can't fail.
    let _ = write!(text, "\n[[namespace]]\n");
    if let Some(seen) = seen(found) {
        let _ = writeln!(text, "# Seen: {seen}.");
    }
    let _ = writeln!(text, "name = {}", quoted(name));
    let _ = writeln!(text, "template = {}", quoted(found.template.as_str()));
    let _ = writeln!(text, "ttl = \"undocumented\"");
}

fn seen(found: &Found) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(keys) = found.keys {
        parts.push(format!("{keys} {}", if keys == 1 { "key" } else { "keys" }));
    }
    if let Some(bytes) = found.bytes {
        parts.push(format!("{bytes} bytes"));
    }
    if let Some(ttl) = found.ttl {
        // What is left of a time to live is told in whole seconds.
        parts.push(format!(
            "median time to live left {}",
            duration::format(Duration::from_secs(ttl.as_secs()))
        ));
    }
    if let Some(share) = found.no_ttl.filter(|share| *share > 0.0) {
        parts.push(format!("{:.1} % without one", share * 100.0));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A short name from a template's words that no other namespace has.
fn free_name(template: &Template, taken: &[String]) -> String {
    let mut name = String::new();
    for literal in literals(template) {
        for character in literal.chars() {
            if character.is_ascii_alphanumeric() {
                name.push(character.to_ascii_lowercase());
            } else if !name.is_empty() && !name.ends_with('-') {
                name.push('-');
            }
        }
        if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = match name.trim_matches('-') {
        "" => "keys".to_owned(),
        name => name.chars().take(LONGEST_NAME).collect::<String>().trim_matches('-').to_owned(),
    };
    let mut free = name.clone();
    let mut number = 1;
    while taken.contains(&free) {
        number += 1;
        free = format!("{name}-{number}");
    }
    free
}

/// Longest name that is made up, in characters.
const LONGEST_NAME: usize = 60;

fn literals(template: &Template) -> impl Iterator<Item = String> {
    use cachescope_model::template::Part;
    template.parts().iter().filter_map(|part| match part {
        Part::Literal(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Part::Field { .. } => None,
    })
}

/// A TOML basic string (TOML 1.0, "String").
fn quoted(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 2);
    line.push('"');
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\t' => line.push_str("\\t"),
            other if other.is_control() => {
                let _ = write!(line, "\\u{:04X}", u32::from(other));
            }
            other => line.push(other),
        }
    }
    line.push('"');
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(template: &str) -> Found {
        Found {
            template: Template::parse(template).expect("a template"),
            keys: None,
            bytes: None,
            ttl: None,
            no_ttl: None,
        }
    }

    const SHOP: &str = "# Ours.\nname = \"shop\"\ntitle = \"Shop\"\n\n[[namespace]] # carts\nname = \"cart\"\ntemplate = \"cart:{id}\"\nttl = \"1h\"\n\n[redis]\nmaxmemory_policy = \"allkeys-lru\"\n";

    #[test]
    fn found_namespaces_stand_at_the_end_and_what_was_there_stays_as_it_is() {
        let seen = Found {
            keys: Some(1204),
            bytes: Some(9_000),
            ttl: Some(Duration::from_millis(1_680_500)),
            no_ttl: Some(0.25),
            ..found("cart:{id}:items")
        };
        let adoption = adopt("shop.toml", SHOP, ("", ""), &[seen, found("cart:{id}"), found("{{a}}-{id}/x")])
            .expect("it fits");
        assert_eq!(
            adoption.added,
            "\n[[namespace]]\n# Seen: 1204 keys, 9000 bytes, median time to live left 28m, 25.0 % without one.\n\
             name = \"cart-items\"\ntemplate = \"cart:{id}:items\"\nttl = \"undocumented\"\n\
             \n[[namespace]]\nname = \"a-x\"\ntemplate = \"{{a}}-{id}/x\"\nttl = \"undocumented\"\n"
        );
        assert_eq!(adoption.text, format!("{SHOP}{}", adoption.added));
        assert_eq!(adoption.names, ["cart-items", "a-x"]);
        let strategy = parse("shop.toml", &adoption.text).expect("it can be read");
        assert_eq!(strategy.namespaces.len(), 3);
    }

    #[test]
    fn names_are_told_apart_and_a_new_file_begins_with_its_own() {
        let adoption =
            adopt("new.toml", "", ("found", "Found \"here\""), &[found("a:{x}"), found("a:{x}:{y}")])
                .expect("it fits");
        assert_eq!(adoption.names, ["a", "a-2"]);
        let strategy = parse("new.toml", &adoption.text).expect("it can be read");
        assert_eq!((strategy.name.as_str(), strategy.title.as_str()), ("found", "Found \"here\""));
    }

    #[test]
    fn a_file_that_can_t_take_a_table_is_refused_with_its_line() {
        let inline = "name = \"s\"\ntitle = \"S\"\nnamespace = [{ name = \"a\", template = \"a:{x}\", ttl = \"1m\" }]\n";
        let error = adopt("s.toml", inline, ("", ""), &[found("b:{x}")]).expect_err("no table can be added");
        assert!(error.sentences().iter().any(|sentence| sentence.starts_with("s.toml:")), "{error:?}");
        adopt("s.toml", inline, ("", ""), &[found("a:{x}")]).expect("there is nothing to add");
        adopt("broken.toml", "name = ", ("", ""), &[found("b:{x}")]).expect_err("it can't be read");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn whatever_discovery_names_can_be_read_back(words in prop::collection::vec("[^{}]{1,8}", 1..5)) {
            let text = words.join(":{x}:").replacen("{x}", "{id}", 1);
            if let Ok(template) = Template::parse(&text) {
                let adoption = adopt("f.toml", "", ("found", "Found"), &[found(template.as_str())]);
                let strategy = parse("f.toml", &adoption.expect("it fits").text).expect("it can be read");
                prop_assert_eq!(&strategy.namespaces[0].template, &template);
            }
        }
    }
}
