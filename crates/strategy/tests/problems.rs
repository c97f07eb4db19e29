//! Wrong files, and the sentences they are answered with: file, line, place, what is wrong, what to write.

use cachescope_strategy::{Severity, StrategyError, check, parse};
use proptest::prelude::*;

/// The beginning of a file that is right; what a test adds begins on line 7.
const HEAD: &str = r#"name = "shop"
title = "The shop"
[[namespace]]
name = "user"
template = "user:{userId}"
ttl = "1h"
"#;

fn problems(text: &str) -> Vec<String> {
    check("shop.toml", text).problems.iter().map(ToString::to_string).collect()
}

/// Adds `text` to [`HEAD`] and expects exactly these sentences, each given by its beginning and its end.
fn expect(text: &str, sentences: &[(&str, &str)]) {
    let said = problems(&format!("{HEAD}{text}"));
    assert_eq!(said.len(), sentences.len(), "{text}\ngave\n{}", said.join("\n"));
    for (sentence, (start, end)) in said.iter().zip(sentences) {
        assert!(
            sentence.starts_with(start) && sentence.ends_with(end),
            "{text}\ngave\n{sentence}\nwanted\n{start} … {end}"
        );
    }
}

#[test]
fn a_right_file_gives_a_strategy_and_no_sentence() {
    expect("", &[]);
    assert_eq!(parse("shop.toml", HEAD).expect("the head is right").namespaces.len(), 1);
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_known_one() {
    for (text, start, end) in [
        ("tll = \"5m\"", "shop.toml:7: namespace \"user\": `tll` is not known here", "; write `ttl`"),
        ("[metrisc]", "shop.toml:7: `metrisc` is not known here", "; write `metrics`"),
        (
            "[health]\npath = \"/h\"\nhealty_above = 0.6",
            "shop.toml:9: health: `healty_above` is not known here",
            "; write `healthy_above`",
        ),
        (
            "[redis]\ncolour = \"red\"",
            "shop.toml:8: redis: `colour` is not known here; write one of maxmemory, maxmemory_policy, ",
            "provider",
        ),
        (
            "[[playbook]]\nname = \"p\"\nsteps = [\n  { delete = \"user:{userId}\", nte = \"x\" },\n]",
            "shop.toml:10: playbook \"p\": steps: `nte` is not known here",
            "; write `note`",
        ),
    ] {
        expect(text, &[(start, end)]);
    }
}

#[test]
fn a_value_of_the_wrong_type_is_answered_with_the_right_one() {
    for (text, what) in [
        ("title = 5", "`title` is an integer; write text in quotes: title = \"…\""),
        (
            "protected = \"yes\"",
            "`protected` is a string; write true or false without quotes: protected = true",
        ),
        (
            "metric_labels = \"user\"",
            "`metric_labels` is a string; write a list of texts: metric_labels = [\"…\", \"…\"]",
        ),
        (
            "metric_labels = [1]",
            "`metric_labels` holds an integer; write a list of texts: metric_labels = [\"…\", \"…\"]",
        ),
        ("hit_rate_target = \"80%\"", "`hit_rate_target` is a string; write a number: hit_rate_target = 0.8"),
        ("hit_rate_target = nan", "`hit_rate_target` is a float; write a number: hit_rate_target = 0.8"),
        ("database = -1", "`database` is an integer; write a whole number from 0: database = 100"),
        ("database = 70000", "`database`: 70000 is no logical database; write 0 to 65535"),
    ] {
        expect(text, &[(&format!("shop.toml:7: namespace \"user\": {what}"), "")]);
    }
    expect("[[metrics]]", &[("shop.toml:7: `metrics` is an array; write a table: [metrics]", "")]);
    expect("[rule]", &[("shop.toml:7: `rule` is a table; write a list of tables: [[rule]]", "")]);
}

#[test]
fn a_target_outside_0_to_1_is_answered_with_the_ratio_it_means() {
    for (text, end) in [
        ("80", "write 0.8"),
        ("-0.2", "write a number such as 0.8"),
        ("1.5", "write 0.015"),
        ("101", "such as 0.8"),
    ] {
        let start =
            format!("shop.toml:7: namespace \"user\": `hit_rate_target`: {text} is not a ratio from 0 to 1");
        expect(&format!("hit_rate_target = {text}"), &[(&start, end)]);
    }
}

#[test]
fn bad_durations_sizes_schedules_and_templates_say_how_to_write_them() {
    for (text, start, end) in [
        (
            "ttl_max = 3600",
            "shop.toml:7: namespace \"user\": `ttl_max` has no unit",
            "write ttl_max = \"3600s\" for seconds",
        ),
        (
            "ttl_max = \"5 min\"",
            "shop.toml:7: namespace \"user\": `ttl_max`: \"5 min\" is not a duration",
            "such as 30s, 15m or 1h30m",
        ),
        (
            "ttl_max = \"30m\"",
            "shop.toml:7: namespace \"user\": `ttl_max` is shorter than `ttl`",
            "as `ttl_max`",
        ),
        ("ttl_max = \"0s\"", "shop.toml:7: namespace \"user\": `ttl_max` is 0", "write ttl_max = \"5m\""),
        (
            "permanent = true",
            "shop.toml:7: namespace \"user\": `permanent` keys have no time to live",
            "remove `ttl` or `permanent`",
        ),
        (
            "[redis]\nmaxmemory = \"2 gigs\"",
            "shop.toml:8: redis: `maxmemory`: \"2 gigs\" is not a size",
            "KiB, MiB or GiB",
        ),
        (
            "[redis]\nmaxmemory_policy = \"allkeys-lur\"",
            "shop.toml:8: redis: `maxmemory_policy`: \"allkeys-lur\" is not known",
            "write \"allkeys-lru\"",
        ),
        (
            "[[playbook]]\nname = \"p\"\nschedule = \"06:00\"\nsteps = [{ delete = \"user:{id}\" }]",
            "shop.toml:9: playbook \"p\": `schedule`: \"06:00\" is not a cron expression of five fields",
            "such as \"0 6 * * *\"",
        ),
        (
            "[versioning]\npattern = \"x\"\ncounter = \"v:{x\"",
            "shop.toml:9: versioning: `counter`: template \"v:{x\": a brace is not closed",
            "for a literal brace",
        ),
    ] {
        expect(text, &[(start, end)]);
    }
}

#[test]
fn what_a_namespace_lacks_is_named() {
    expect(
        "[[namespace]]\nttl = \"5m\"",
        &[
            ("shop.toml:7: namespace: `name` is missing; write name = ", ""),
            ("shop.toml:7: namespace: `template` is missing; write template = \"user:{userId}\"", ""),
        ],
    );
    expect(
        "[[namespace]]\nname = \"a b\"\ntemplate = \"a:{x}\"\nttl = \"5m\"",
        &[(
            "shop.toml:8: namespace \"a b\": `name`: \"a b\" is no short name",
            "write something like \"a-b\"",
        )],
    );
    let said = problems("title = \"x\"\n");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("shop.toml:1: `name` is missing; write name = "), "{}", said[0]);
    assert!(said[1].starts_with("shop.toml:1: there is no namespace; write [[namespace]]"), "{}", said[1]);
}

#[test]
fn tenant_version_and_masked_fields_must_stand_in_the_template() {
    expect(
        "tenant = \"tenantId\"",
        &[(
            "shop.toml:7: namespace \"user\": `tenant` names the field \"tenantId\", which \"user:{userId}\" has not",
            "write one of its fields: userId",
        )],
    );
    expect(
        "version = \"userid\"",
        &[("shop.toml:7: namespace \"user\": `version` names", "write version = \"userId\"")],
    );
    expect("masked = [\"mail\"]", &[("shop.toml:7: namespace \"user\": `masked` names", "fields: userId")]);
}

#[test]
fn a_second_namespace_of_one_shape_is_a_duplicate_whatever_its_fields_are_called() {
    expect(
        "[[namespace]]\nname = \"users\"\ntemplate = \"user:{id}\"\nttl = \"5m\"",
        &[(
            "shop.toml:9: namespace \"users\": its template \"user:{id}\" matches the same keys as \"user:{userId}\" of namespace \"user\" on line 5",
            "remove one of the two",
        )],
    );
    expect(
        "[[namespace]]\nname = \"user\"\ntemplate = \"u:{id}\"\nttl = \"5m\"",
        &[("shop.toml:8: namespace \"user\": line 4 has the same name", "give one of the two another name")],
    );
}

#[test]
fn overlapping_namespaces_are_both_named_with_a_key_that_matches_both() {
    expect(
        "[[namespace]]\nname = \"one\"\ntemplate = \"a:{x}:c\"\nttl = \"5m\"\n[[namespace]]\nname = \"two\"\ntemplate = \"a:b:{y}\"\nttl = \"5m\"",
        &[(
            "shop.toml:13: namespace \"two\": its template \"a:b:{y}\" overlaps with \"a:{x}:c\" of namespace \"one\" on line 9: \"a:b:c\" matches both and neither is the more specific one",
            "specific in every place",
        )],
    );
}

#[test]
fn a_more_specific_namespace_beside_a_general_one_is_fine() {
    expect("[[namespace]]\nname = \"admin\"\ntemplate = \"user:admin\"\nttl = \"5m\"", &[]);
    expect("[[namespace]]\nname = \"number\"\ntemplate = \"user:{id#}\"\nttl = \"5m\"", &[]);
    expect("[[namespace]]\nname = \"rest\"\ntemplate = \"user:{rest*}\"\nttl = \"5m\"", &[]);
}

#[test]
fn names_that_nothing_defines_are_answered_with_the_nearest_one() {
    for (text, start, end) in [
        (
            "[[data_class]]\nname = \"hot\"\nnamespaces = [\n  \"user\",\n  \"usr\",\n]",
            "shop.toml:11: data_class \"hot\": there is no namespace \"usr\"",
            "write \"user\"",
        ),
        (
            "[[rule]]\nname = \"R\"\nreading = \"hit_rate\"\nbelow = 0.8\nsummary = \"s\"\nplaybook = \"purge\"",
            "shop.toml:12: rule \"R\": there is no playbook \"purge\"",
            "add a [[playbook]] with that name",
        ),
        (
            "[[rule]]\nname = \"R\"\nsignal = \"db-cup\"\nabove = 1\nsummary = \"s\"\n[[signal]]\nname = \"db-cpu\"\nunit = \"ratio\"\npromql = \"x\"",
            "shop.toml:9: rule \"R\": there is no signal \"db-cup\"",
            "write \"db-cpu\"",
        ),
        (
            "[[playbook]]\nname = \"p\"\nsteps = [{ endpoint = \"purge\" }]",
            "shop.toml:9: playbook \"p\": steps: there is no endpoint \"purge\"",
            "add a [[endpoint]] with that name",
        ),
    ] {
        expect(text, &[(start, end)]);
    }
}

#[test]
fn a_rule_says_one_thing_of_one_subject() {
    let rule = |text: &str| format!("[[rule]]\nname = \"R\"\nsummary = \"s\"\n{text}");
    for (text, start, end) in [
        ("below = 0.8", "shop.toml:7: rule \"R\": `reading` is missing", "or signal = \"…\""),
        (
            "reading = \"hitrate\"\nbelow = 0.8",
            "shop.toml:10: rule \"R\": `reading`: \"hitrate\" is no reading",
            "write \"hit_rate\"",
        ),
        ("reading = \"hit_rate\"", "shop.toml:7: rule \"R\": `above` is missing", "or below = …"),
        (
            "reading = \"hit_rate\"\nabove = 0.1\nbelow = 0.8",
            "shop.toml:12: rule \"R\": `above` and `below` exclude each other",
            "keep one of them",
        ),
        (
            "reading = \"hit_rate\"\nbelow = 80",
            "shop.toml:11: rule \"R\": `below`: 80 is not a ratio",
            "write 0.8",
        ),
        (
            "reading = \"hit_rate\"\nbelow = nan",
            "shop.toml:11: rule \"R\": `below` is a float",
            "write a number: below = 0.8",
        ),
        (
            "reading = \"hit_rate\"\nbelow = 0.8\nfor = \"-1\"",
            "shop.toml:12: rule \"R\": `for`: \"-1\" is not a duration",
            "such as 30s, 15m or 1h30m",
        ),
        (
            "reading = \"latency_p99_seconds\"\nabove = 10",
            "shop.toml:11: rule \"R\": `above` has no unit",
            "for seconds",
        ),
        (
            "reading = \"memory_ratio\"\nabove = 0.9\neach = \"namespace\"",
            "shop.toml:10: rule \"R\": Memory share is a figure of the whole server",
            "remove `each` and `namespaces`",
        ),
        (
            "reading = \"hit_rate\"\nbelow = 0.8\neach = \"node\"\nnamespaces = [\"user\"]",
            "shop.toml:12: rule \"R\": a server is neither a namespace nor a layer",
            "keep one of them",
        ),
        (
            "reading = \"hit_rate\"\nbelow = 0.8\nwindow = \"2m\"",
            "shop.toml:12: rule \"R\": `window`: \"2m\" is no window",
            "15m, 1h or 24h",
        ),
        (
            "reading = \"hit_rate\"\nbelow = 0.8\nseverity = \"page\"",
            "shop.toml:12: rule \"R\": `severity`: \"page\" is not known",
            "write one of info, warning, critical",
        ),
    ] {
        expect(&rule(text), &[(start, end)]);
    }
}

#[test]
fn a_step_does_one_thing_and_never_everything() {
    let step = |text: &str| format!("[[playbook]]\nname = \"p\"\nsteps = [{{ {text} }}]");
    for (text, start, end) in [
        ("note = \"x\"", "shop.toml:9: playbook \"p\": steps: a step does nothing", ""),
        (
            "delete = \"user:{id}\", tag = \"t\"",
            "shop.toml:9: playbook \"p\": steps: a step does one thing, this one has `delete` and `tag`",
            "make two steps of it",
        ),
        (
            "pattern = \"*\"",
            "shop.toml:9: playbook \"p\": steps: `pattern`: the pattern \"*\" could match every key",
            "such as \"user:*\"",
        ),
        ("soft = \"user:*\"", "shop.toml:9: playbook \"p\": steps: `ttl` is missing", "write ttl = \"30s\""),
        (
            "publish = \"drop\"",
            "shop.toml:9: playbook \"p\": steps: `message` is missing",
            "write message = \"{key}\"",
        ),
        (
            "pattern = \"orders:*\"",
            "shop.toml:9: warning: playbook \"p\": steps: \"orders:*\" reaches no namespace",
            "or add the namespace",
        ),
    ] {
        expect(&step(text), &[(start, end)]);
    }
}

#[test]
fn a_playbook_without_steps_is_a_mistake() {
    expect(
        "[[playbook]]\nname = \"p\"\nsteps = []",
        &[("shop.toml:9: playbook \"p\": `steps` is empty", "write steps = [{ pattern = \"user:*\" }]")],
    );
    expect("[[playbook]]\nname = \"p\"", &[("shop.toml:7: playbook \"p\": `steps` is missing", "")]);
}

#[test]
fn doubtful_files_can_be_used_and_are_remarked_upon() {
    for (text, start, end) in [
        (
            "[[namespace]]\nname = \"list\"\ntemplate = \"list:{id}\"",
            "shop.toml:7: warning: namespace \"list\": no `ttl` is documented",
            "where keys live for ever",
        ),
        (
            "[[namespace]]\nname = \"tile\"\ntemplate = \"tile:v{version}\"\nversion = \"version\"\nttl = \"5m\"",
            "shop.toml:9: warning: namespace \"tile\": the version field \"version\" takes more than digits",
            "aren't taken for versions",
        ),
        (
            "[tenant_isolation]\nfield = \"tenantId\"",
            "shop.toml:5: warning: namespace \"user\": its keys don't carry {tenantId}",
            "list the namespace as exempt",
        ),
        (
            "[sizing]\noverhead = 1.3\n[[sizing.entry]]\nwhat = \"users\"\nentry_size = \"2 KB\"\ncount = 100\ntotal = \"1 MB\"",
            "shop.toml:13: warning: sizing: entry: users: `total` is 1000000 bytes, entry size × count × overhead is 260000",
            "correct one of them",
        ),
    ] {
        expect(text, &[(start, end)]);
        let checked = check("shop.toml", &format!("{HEAD}{text}"));
        assert!(checked.strategy.is_some(), "{text}");
        assert!(checked.problems.iter().all(|problem| problem.severity == Severity::Warning), "{text}");
    }
}

#[test]
fn every_problem_of_a_file_is_told_in_the_order_of_its_lines() {
    let text = r#"name = "shop"
title = "The shop"
hit_rate_target = 8
[[namespace]]
name = "user"
tempalte = "user:{userId}"
ttl = "1 hour"
[[namespace]]
name = "cart"
template = "cart:{cartId"
ttl = 5
[[rule]]
name = "R"
reading = "hit_rate"
below = 80
"#;
    let lines: Vec<usize> = check("shop.toml", text).problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [3, 4, 6, 7, 10, 11, 12, 15]);
    let Err(StrategyError::Invalid { problems }) = parse("shop.toml", text) else {
        panic!("the file is wrong, so it gives no strategy");
    };
    assert_eq!(problems.len(), 8);
}

#[test]
fn what_is_not_toml_is_told_by_line() {
    for (text, line) in
        [("name = \"shop\ntitle = 1\n", 1), ("a = 1\na = 2\n", 2), ("a = 1\n[b\n", 2), ("= 3", 1)]
    {
        let said = problems(text);
        assert!(said[0].starts_with(&format!("shop.toml:{line}: not TOML: ")), "{text:?}: {said:?}");
        assert!(said[0].ends_with("; correct the line"), "{text:?}: {said:?}");
        assert!(parse("shop.toml", text).is_err(), "{text:?}");
    }
}

#[test]
fn a_file_of_five_thousand_namespaces_is_read_and_one_of_more_refused() {
    let file = |count: usize| {
        let namespace = |at: usize| {
            format!(
                "[[namespace]]\nname = \"n{at}\"\ntemplate = \"app:{{tenantId}}:kind{at}:{{id}}\"\nttl = \"5m\"\n"
            )
        };
        format!("name = \"large\"\ntitle = \"Large\"\n{}", (0..count).map(namespace).collect::<String>())
    };
    assert_eq!(problems(&file(5_000)), [""; 0]);
    assert_eq!(
        problems(&file(5_001)),
        [
            "shop.toml:20005: the file has 5001 namespaces; keep at most 5000, and give keys of one kind one template"
        ]
    );
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_change_neither_meaning_nor_lines() {
    let text = format!("{HEAD}tll = \"5m\"\n").replace('\n', "\r\n");
    let wanted = ["shop.toml:7: namespace \"user\": `tll` is not known here; write `ttl`"];
    assert_eq!(problems(&text), wanted);
    assert_eq!(problems(&format!("\u{feff}{text}")), wanted, "with a byte order mark");
}

#[test]
fn a_miss_rate_is_judged_as_the_hit_rate_it_means() {
    let text =
        format!("{HEAD}[[rule]]\nname = \"R\"\nsummary = \"s\"\nreading = \"miss_rate\"\nabove = 0.4\n");
    let strategy = parse("shop.toml", &text).expect("the file is right");
    let threshold = strategy.rules[0].threshold.expect("it has one");
    assert_eq!((threshold.comparison.sign(), threshold.value), ("<", 0.6));
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in "(?s).{0,200}") {
        let _ = check("any.toml", &text);
    }

    #[test]
    fn no_single_changed_line_of_a_right_file_makes_it_panic(
        strategy in 0..cachescope_strategy::BUILT_IN.len(), at in any::<prop::sample::Index>(), line in ".{0,40}",
    ) {
        let mut lines: Vec<&str> = cachescope_strategy::BUILT_IN[strategy].text.lines().collect();
        let at = at.index(lines.len());
        lines[at] = &line;
        let checked = check("any.toml", &lines.join("\n"));
        let in_file = checked.problems.iter().all(|problem| problem.line >= 1 && problem.line <= lines.len() + 1);
        prop_assert!(in_file, "{:?}", checked.problems);
    }
}
