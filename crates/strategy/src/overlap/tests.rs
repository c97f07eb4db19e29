//! Relations against a matcher that tries everything.

use proptest::prelude::*;

use super::*;

fn template(text: &str) -> Template {
    Template::parse(text).expect(text)
}

/// Whether the parts match the key, by trying every length of every field.
fn matches(parts: &[Part], key: &[u8]) -> bool {
    match parts.split_first() {
        None => key.is_empty(),
        Some((Part::Literal(bytes), rest)) => {
            key.strip_prefix(bytes.as_slice()).is_some_and(|key| matches(rest, key))
        }
        Some((Part::Field { kind, .. }, rest)) => {
            let fits = |byte: &u8| match kind {
                FieldKind::Digits => byte.is_ascii_digit(),
                FieldKind::Segment => *byte != SEPARATOR,
                FieldKind::Rest => true,
            };
            let longest = key.iter().take_while(|byte| fits(byte)).count();
            (1..=longest).any(|length| matches(rest, &key[length..]))
        }
    }
}

#[test]
fn templates_relate_as_their_keys_do() {
    use Relation::{Disjoint, FirstWithinSecond, Same, SecondWithinFirst};
    let cases = [
        ("user:{id}", "users:{id}", Disjoint),
        ("user:{id}", "user:{userId}", Same),
        ("organization:{t}:list", "organization:{t}:{o}", FirstWithinSecond),
        ("organization:{o}:v{version#}", "organization:{t}:list", Disjoint),
        ("analytics:{t}", "analytics:{t}:realtime", Disjoint),
        ("entity:{type}:{id}", "entity:project:{id}", SecondWithinFirst),
        ("entity:{type}:{id}", "entity:project:list:org:{org}:{page}", Disjoint),
        ("cache:{rest*}", "cache:{entity}:{id}:{variant}", SecondWithinFirst),
        ("n:{id#}", "n:{id}", FirstWithinSecond),
        ("v:{a}", "v:{a}-z", SecondWithinFirst),
    ];
    for (first, second, relation_) in cases {
        assert_eq!(relation(&template(first), &template(second)), relation_, "{first} and {second}");
    }
}

#[test]
fn ambiguous_templates_come_with_a_key_that_matches_both() {
    for (first, second, key) in [
        ("a:{x}:c", "a:b:{y}", "a:b:c"),
        ("{a}:x", "y:{b}", "y:x"),
        ("a{x*}", "{y}b", "ab"),
        // All keys of the first match the second, but a matcher that tries literals first gives some of them away.
        ("k:{x}-{y}-q", "k:{x}-q", "k:0-0-q"),
    ] {
        let found = relation(&template(first), &template(second));
        let Relation::Ambiguous { example } = found else { panic!("{first} and {second}: {found:?}") };
        assert_eq!(example.len(), key.len(), "the shortest is wanted: {example}");
        for text in [first, second] {
            assert!(matches(template(text).parts(), example.as_bytes()), "{text} does not match {example}");
        }
    }
}

#[test]
fn a_purge_pattern_reaches_the_namespaces_it_can_match() {
    for (pattern, text, reached) in [
        ("cache:reports:revenue:*", "cache:reports:revenue:v{version#}", true),
        ("cache:reports:revenue:*", "cache:dashboard:stats", false),
        ("auth:session:*", "auth:session:{sessionId}", true),
        ("appointments:{tenantId}:*", "appointments:{tenantId}:{rest*}", true),
        ("user:[ab]?", "user:{id#}", true),
        ("user:\\*", "user:{id#}", false),
        ("a*", "a", true),
    ] {
        assert_eq!(reaches(pattern, &template(text)), reached, "{pattern} and {text}");
    }
}

fn any_template() -> impl Strategy<Value = Template> {
    let piece = prop::sample::select(vec!["a", "b", "1", ":", "-", "{?}", "{?#}", "{?*}"]);
    prop::collection::vec(piece, 1..6).prop_filter_map("no template", |pieces| {
        let named = |(at, piece): (usize, &str)| piece.replace('?', &format!("f{at}"));
        Template::parse(&pieces.into_iter().enumerate().map(named).collect::<String>()).ok()
    })
}

proptest! {
    #[test]
    fn relations_agree_with_trying_every_short_key(first in any_template(), second in any_template()) {
        let mut keys: Vec<Vec<u8>> = vec![Vec::new()];
        let mut every = Vec::new();
        for _ in 0..5 {
            keys = keys.iter().flat_map(|key| b"ab1:-".iter().map(|byte| [key.as_slice(), &[*byte]].concat())).collect();
            every.extend(keys.iter().cloned());
        }
        let both = |key: &Vec<u8>| (matches(first.parts(), key), matches(second.parts(), key));
        let found = relation(&first, &second);
        for key in &every {
            let held = both(key);
            let agrees = match &found {
                Relation::Disjoint => held != (true, true),
                Relation::Same => held.0 == held.1,
                Relation::FirstWithinSecond => !held.0 || held.1,
                Relation::SecondWithinFirst => !held.1 || held.0,
                Relation::Ambiguous { example } => {
                    both(&example.clone().into_bytes()) == (true, true)
                }
            };
            prop_assert!(agrees, "{first} and {second} are {found:?}, but {:?}", String::from_utf8_lossy(key));
        }
    }
}
