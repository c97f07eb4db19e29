//! Whether a silence covers an alert.

use cachescope_model::strategy::Severity;
use cachescope_model::telling::{AlertRef, Matcher, Matching, Silence};
use cachescope_model::time::Timestamp;

/// An alert as matchers see it.
#[derive(Clone, Copy)]
pub(crate) struct Matched<'a> {
    pub(crate) alert: &'a AlertRef,
    pub(crate) deployment_name: &'a str,
    pub(crate) severity: Severity,
}

/// A severity's name in matchers and messages.
pub(crate) const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// The silence that covers the alert and ends last.
pub(crate) fn covering<'s>(
    silences: &'s [Silence],
    alert: Matched<'_>,
    now: Timestamp,
) -> Option<&'s Silence> {
    let covers = |silence: &&Silence| {
        is_active(silence, now)
            && !silence.matchers.is_empty()
            && silence.matchers.iter().all(|matcher| fits(matcher, alert))
    };
    silences.iter().filter(covers).max_by_key(|silence| silence.ends_at)
}

/// Whether a silence holds at `now`.
pub(crate) fn is_active(silence: &Silence, now: Timestamp) -> bool {
    silence.starts_at <= now && now < silence.ends_at
}

fn fits(matcher: &Matcher, alert: Matched<'_>) -> bool {
    let label = alert.alert.labels.get(&matcher.label).map(String::as_str);
    // The deployment goes by its name and by its identity.
    let values: [Option<&str>; 2] = match matcher.label.as_str() {
        "rule" | "alertname" => [Some(&alert.alert.rule), None],
        "severity" => [Some(severity_name(alert.severity)), None],
        "deployment" => [Some(alert.deployment_name), Some(&alert.alert.deployment.0)],
        _ => [label, None],
    };
    let mut values = values.into_iter().flatten();
    match matcher.matching {
        Matching::Is => values.any(|value| value == matcher.value),
        Matching::IsNot => values.all(|value| value != matcher.value),
        Matching::Like => values.any(|value| is_like(value, &matcher.value)),
    }
}

/// Whether `text` is like `pattern`, where `*` stands for any characters and nothing else is special.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use cachescope_model::deployment::DeploymentId;

    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_nothing_else_is_special() {
        for (pattern, text, like) in [
            ("Low*", "LowHitRate", true),
            ("*Rate", "LowHitRate", true),
            ("*Hit*", "LowHitRate", true),
            ("Low*Rate", "LowHitRate", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*a", "a", false),
            ("session:{id}", "session:{id}", true),
            ("a.c", "abc", false),
            ("*ab*ab", "ab", false),
            ("*ab*ab", "abab", true),
            ("ä*", "äöü", true),
        ] {
            assert_eq!(is_like(text, pattern), like, "{pattern} and {text}");
        }
    }

    #[test]
    fn all_matchers_must_fit_and_only_while_the_silence_holds() {
        let alert = AlertRef {
            deployment: DeploymentId("d1".to_owned()),
            rule: "LowHitRate".to_owned(),
            labels: [("namespace".to_owned(), "session:{id}".to_owned())].into(),
        };
        let matched = Matched { alert: &alert, deployment_name: "prod-eu", severity: Severity::Critical };
        let matcher = |(label, matching, value): (&str, Matching, &str)| Matcher {
            label: label.to_owned(),
            matching,
            value: value.to_owned(),
        };
        use Matching::{Is, IsNot, Like};
        for (matchers, covered) in [
            (vec![("rule", Is, "LowHitRate")], true),
            (vec![("alertname", Is, "LowHitRate"), ("deployment", Is, "prod-eu")], true),
            (vec![("deployment", Is, "d1")], true),
            (vec![("deployment", IsNot, "prod-eu")], false),
            (vec![("deployment", IsNot, "prod-us")], true),
            (vec![("severity", Is, "critical")], true),
            (vec![("namespace", Like, "session:*")], true),
            (vec![("namespace", Like, "session:*"), ("rule", Is, "Other")], false),
            (vec![("tenant", Is, "acme")], false),
            (vec![("tenant", IsNot, "acme")], true),
            // A silence of nothing would be one of everything.
            (vec![], false),
        ] {
            let silence = Silence {
                id: 1,
                matchers: matchers.iter().copied().map(matcher).collect(),
                starts_at: Timestamp(10),
                ends_at: Timestamp(20),
                comment: String::new(),
            };
            for (now, holds) in [(9, false), (10, true), (19, true), (20, false)] {
                let found = covering(std::slice::from_ref(&silence), matched, Timestamp(now));
                assert_eq!(found.is_some(), covered && holds, "{matchers:?} at {now}");
            }
        }
    }
}
