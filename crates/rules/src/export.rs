//! A strategy's rules as a Prometheus rule file.

use std::fmt::Write as _;

use cachescope_model::duration;
use cachescope_model::strategy::Strategy;
use serde::Serialize;

use crate::promql::expr::quoted;
use crate::written::{AlertingRule, write};

/// A strategy's rules for a Prometheus server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Export {
    /// The strategy's name.
    pub strategy: String,
    /// What could be written.
    pub rules: Vec<AlertingRule>,
    /// What could not.
    pub left_out: Vec<LeftOut>,
}

/// A rule that could not be written, read or judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub rule: String,
    /// Why, one sentence.
    pub reason: String,
}

/// Writes every rule that the strategy's metrics can show, and names the others.
#[must_use]
pub fn export(strategy: &Strategy) -> Export {
    let mut export = Export { strategy: strategy.name.clone(), ..Export::default() };
    for rule in &strategy.rules {
        match write(strategy, rule) {
            Ok(written) => export.rules.extend(written),
            Err(reason) => export.left_out.push(LeftOut { rule: rule.name.clone(), reason }),
        }
    }
    export
}

impl Export {
    /// The rule file. What was left out stands in it as comments.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut text = String::new();
        line(
            &mut text,
            format_args!("# Alerting rules of the caching strategy {}.", one_line(&self.strategy)),
        );
        for left_out in &self.left_out {
            let (rule, reason) = (one_line(&left_out.rule), one_line(&left_out.reason));
            line(&mut text, format_args!("# Not in this file: {rule}: {reason}."));
        }
        if self.rules.is_empty() {
            line(&mut text, format_args!("groups: []"));
            return text;
        }
        line(&mut text, format_args!("groups:"));
        let name = if self.strategy.is_empty() { "cachescope" } else { &self.strategy };
        line(&mut text, format_args!("  - name: {}", scalar(name)));
        line(&mut text, format_args!("    rules:"));
        for rule in &self.rules {
            rule_lines(&mut text, rule);
        }
        text
    }
}

fn rule_lines(text: &mut String, rule: &AlertingRule) {
    line(text, format_args!("      - alert: {}", scalar(&rule.alert)));
    line(text, format_args!("        expr: {}", scalar(&rule.condition().to_string())));
    for (name, length) in [("for", rule.hold), ("keep_firing_for", rule.keep_firing)] {
        if !length.is_zero() {
            line(text, format_args!("        {name}: {}", duration::format(length)));
        }
    }
    line(text, format_args!("        labels:"));
    for (name, value) in &rule.labels {
        line(text, format_args!("          {name}: {}", scalar(&template(value))));
    }
    if !rule.annotations.is_empty() {
        line(text, format_args!("        annotations:"));
    }
    for (name, value) in &rule.annotations {
        line(text, format_args!("          {name}: {}", scalar(&template(value))));
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("text takes text");
}

/// A text that Prometheus does not expand: it reads labels and annotations as templates.
fn template(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

/// A text in YAML's double quotes, which know PromQL's escapes.
fn scalar(text: &str) -> String {
    quoted(text)
}

fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
