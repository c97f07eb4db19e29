//! Changes of a query's answer as marks: a deploy that only Prometheus knows of.

use std::collections::BTreeMap;

use cachescope_model::alert::AlertLabels;
use cachescope_model::deployment::DeploymentId;
use cachescope_model::marks::{Mark, MarkSource};
use cachescope_model::strategy::MarkQuery;
use cachescope_model::time::Timestamp;
use cachescope_model::visible::visible;

/// Marks of one look at one query; a query whose answer changes more is not about deploys.
const MOST_MARKS: usize = 5;
/// Characters of a mark's words.
const MOST_WORDS: usize = 200;

/// The last answer to each query.
#[derive(Debug, Default)]
pub(super) struct Announced {
    known: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Announced {
    /// What is different from the last answer. The first one is no change, and neither is one without series: a
    /// scrape that failed undoes no deploy.
    pub(super) fn compare(
        &mut self,
        deployment: &DeploymentId,
        query: &MarkQuery,
        series: Vec<(AlertLabels, f64)>,
        now: Timestamp,
    ) -> Vec<Mark> {
        if series.is_empty() {
            return Vec::new();
        }
        let named = |labels: &AlertLabels| match &query.label {
            Some(label) => labels.get(label).cloned().unwrap_or_default(),
            None => labels.iter().map(|(name, value)| format!("{name}={value} ")).collect(),
        };
        let answer: BTreeMap<String, f64> =
            series.iter().map(|(labels, value)| (named(labels), *value)).collect();
        let before = self.known.insert(query.name.clone(), answer.clone());
        let Some(before) = before else { return Vec::new() };
        let text = |name: &str, value: f64| match (&query.label, before.get(name)) {
            // Under a label its values count: one that was not there before.
            (Some(_), None) if !name.is_empty() => Some(name.to_owned()),
            (None, Some(old)) if *old != value => Some(format!("{}: {value}", query.title)),
            _ => None,
        };
        answer
            .iter()
            .filter_map(|(name, value)| text(name, *value))
            .take(MOST_MARKS)
            .map(|text| Mark {
                id: 0,
                deployment: Some(deployment.clone()),
                at: now,
                kind: query.kind,
                text: visible(&text).chars().take(MOST_WORDS).collect(),
                source: MarkSource::Prometheus,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use cachescope_model::marks::MarkKind;

    use super::*;

    fn query(label: Option<&str>) -> MarkQuery {
        MarkQuery {
            name: "deploys".to_owned(),
            title: "Generation".to_owned(),
            promql: "app_build_info".to_owned(),
            kind: MarkKind::Deploy,
            label: label.map(str::to_owned),
        }
    }

    fn series(of: &[(&str, &str, f64)]) -> Vec<(AlertLabels, f64)> {
        let labels = |instance: &str, version: &str| {
            [("instance", instance), ("version", version)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        };
        of.iter().map(|(instance, version, value)| (labels(instance, version), *value)).collect()
    }

    fn texts(announced: &mut Announced, query: &MarkQuery, of: &[(&str, &str, f64)]) -> Vec<String> {
        let id = DeploymentId("d".to_owned());
        let marks = announced.compare(&id, query, series(of), Timestamp(5));
        assert!(marks.iter().all(|mark| mark.at == Timestamp(5) && mark.source == MarkSource::Prometheus));
        marks.into_iter().map(|mark| mark.text).collect()
    }

    #[test]
    fn a_new_value_of_the_label_is_a_mark_once_and_so_is_the_way_back() {
        let (mut announced, query) = (Announced::default(), query(Some("version")));
        assert_eq!(
            texts(&mut announced, &query, &[("a", "v1", 1.0), ("b", "v1", 1.0)]),
            [""; 0],
            "the first look"
        );
        assert_eq!(texts(&mut announced, &query, &[("a", "v2", 1.0), ("b", "v1", 1.0)]), ["v2"]);
        assert_eq!(
            texts(&mut announced, &query, &[("a", "v2", 1.0), ("b", "v2", 1.0)]),
            [""; 0],
            "it rolls on"
        );
        assert_eq!(texts(&mut announced, &query, &[]), [""; 0], "a scrape fails");
        assert_eq!(texts(&mut announced, &query, &[("a", "v2", 1.0)]), [""; 0]);
        assert_eq!(texts(&mut announced, &query, &[("a", "v1", 1.0)]), ["v1"], "rolled back");
    }

    #[test]
    fn without_a_label_another_value_of_a_series_is_a_mark() {
        let (mut announced, query) = (Announced::default(), query(None));
        assert_eq!(texts(&mut announced, &query, &[("a", "x", 7.0)]), [""; 0]);
        assert_eq!(texts(&mut announced, &query, &[("a", "x", 7.0), ("b", "x", 7.0)]), [""; 0]);
        assert_eq!(texts(&mut announced, &query, &[("a", "x", 8.0), ("b", "x", 7.0)]), ["Generation: 8"]);
        let many: Vec<(String, f64)> = (0..100).map(|number| (format!("i{number}"), 1.0)).collect();
        let many: Vec<(&str, &str, f64)> =
            many.iter().map(|(name, value)| (name.as_str(), "x", *value)).collect();
        texts(&mut announced, &query, &many);
        let changed: Vec<(&str, &str, f64)> = many.iter().map(|(name, of, _)| (*name, *of, 2.0)).collect();
        assert_eq!(texts(&mut announced, &query, &changed).len(), MOST_MARKS);
    }
}
