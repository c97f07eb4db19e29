//! JUnit XML, as CI systems read it: a test case a rule.

use std::fmt::Write as _;
use std::time::Duration;

use cachescope_app::alerts::check::{Checked, Outcome};

/// The document.
pub(super) fn document(deployment: &str, rules: &[Checked], watched: Duration) -> String {
    let count = |outcome: Outcome| rules.iter().filter(|rule| rule.outcome == outcome).count();
    let skipped = count(Outcome::NoData);
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{skipped}\" time=\"{}\"",
        rules.len(),
        count(Outcome::Firing),
        count(Outcome::Error),
        watched.as_secs_f64()
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut line = |text: String| {
        xml.push_str(&text);
        xml.push('\n');
    };
    line(format!("<testsuites {counts}>"));
    line(format!("  <testsuite name={} {counts}>", quoted(&format!("cachescope {deployment}"))));
    for rule in rules {
        let case = format!("    <testcase classname={} name={}", quoted(deployment), quoted(&rule.rule));
        let inner = match rule.outcome {
            Outcome::Fine | Outcome::Pending => None,
            Outcome::NoData => Some(format!("<skipped message={}/>", quoted(&rule.detail))),
            Outcome::Error => Some(format!("<error message={}/>", quoted(&rule.detail))),
            Outcome::Firing => {
                let mut words = String::new();
                for past in rule.past.iter().filter(|past| past.firing) {
                    // Writing to a string does not fail.
                    let _ = writeln!(words, "{}", past.sentence);
                }
                words.push_str(&rule.action);
                Some(format!(
                    "<failure message={} type=\"alert\">{}</failure>",
                    quoted(&format!("{} ({})", rule.summary, rule.condition)),
                    escaped(words.trim())
                ))
            }
        };
        match inner {
            None => line(format!("{case}/>")),
            Some(inner) => line(format!("{case}>{inner}</testcase>")),
        }
    }
    line("  </testsuite>".to_owned());
    line("</testsuites>".to_owned());
    xml
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('"', "&quot;").replace(['\n', '\t'], " "))
}

/// XML 1.0 has no room for most control characters, not even escaped.
fn escaped(text: &str) -> String {
    let legal = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    let text: String = text
        .chars()
        .map(|c| if legal(c) && !matches!(c, '\u{fffe}' | '\u{ffff}') { c } else { '\u{fffd}' })
        .collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use cachescope_app::alerts::check::Past;
    use cachescope_model::strategy::Severity;

    use super::*;

    #[test]
    fn a_rule_is_a_case_that_passes_fails_breaks_or_is_skipped_and_no_key_breaks_the_document() {
        let rule = |name: &str, outcome: Outcome| Checked {
            rule: name.to_owned(),
            severity: Severity::Warning,
            summary: "below".to_owned(),
            condition: "Hit rate < 80 %".to_owned(),
            outcome,
            detail: "no \"traffic\" & nothing".to_owned(),
            judged: 1,
            action: "Warm <it>.".to_owned(),
            past: vec![Past {
                subject: String::new(),
                namespace: None,
                labels: Default::default(),
                firing: outcome == Outcome::Firing,
                value: Some(0.5),
                low: None,
                high: None,
                shown: "50 %".to_owned(),
                sentence: "Key \u{1}]]> of 50 %.".to_owned(),
                reason: String::new(),
            }],
        };
        let rules = [
            rule("A", Outcome::Fine),
            rule("B", Outcome::Firing),
            rule("C", Outcome::Error),
            rule("D", Outcome::NoData),
        ];
        let xml = document("prod", &rules, Duration::from_secs(60));
        assert_eq!(
            xml,
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" failures="1" errors="1" skipped="1" time="60">
  <testsuite name="cachescope prod" tests="4" failures="1" errors="1" skipped="1" time="60">
    <testcase classname="prod" name="A"/>
    <testcase classname="prod" name="B"><failure message="below (Hit rate &lt; 80 %)" type="alert">Key �]]&gt; of 50 %.
Warm &lt;it&gt;.</failure></testcase>
    <testcase classname="prod" name="C"><error message="no &quot;traffic&quot; &amp; nothing"/></testcase>
    <testcase classname="prod" name="D"><skipped message="no &quot;traffic&quot; &amp; nothing"/></testcase>
  </testsuite>
</testsuites>
"#
        );
    }
}
