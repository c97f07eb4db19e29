//! What an expression says at a time.

use std::collections::{BTreeMap, HashMap, HashSet};

use cachescope_model::alert::AlertLabels;
use cachescope_model::time::Timestamp;

use super::expr::{Aggregation, Expr, Grouping, Operator, RangeFunction};
use super::storage::{METRIC_NAME, Storage};
use super::{histogram, rate};

/// One element of a result: its labels and value.
pub type Element = (AlertLabels, f64);

/// A result.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Scalar(f64),
    /// Series, each with one value.
    Vector(Vec<Element>),
}

/// Evaluates `expr` at `at`.
///
/// # Errors
/// What Prometheus fails with as well: operands that don't match one to one, results with the same labels twice, a
/// regular expression that is none; and text that only a server understands.
pub fn evaluate(expr: &Expr, storage: &Storage, at: Timestamp) -> Result<Value, String> {
    let now = at.millis();
    match expr {
        Expr::Number(number) => Ok(Value::Scalar(*number)),
        Expr::Instant(selector) => {
            let found = storage.instant(selector, now)?;
            Ok(Value::Vector(found.into_iter().map(|(labels, value)| (labels.clone(), value)).collect()))
        }
        Expr::Range(function, selector, range) => {
            let millis = i64::try_from(range.as_millis()).unwrap_or(i64::MAX / 2);
            let per_second = *function == RangeFunction::Rate;
            let from = now.saturating_sub(millis);
            let found = storage.range(selector, from, now)?;
            let increase = |(labels, samples): (&AlertLabels, Vec<(i64, f64)>)| {
                rate::extrapolated(&samples, from, now, per_second).map(|value| (without_name(labels), value))
            };
            distinct(found.into_iter().filter_map(increase).collect())
        }
        Expr::Quantile(quantile, of) => {
            let mut groups: BTreeMap<AlertLabels, Vec<(f64, f64)>> = BTreeMap::new();
            for (mut labels, count) in vector(evaluate(of, storage, at)?)? {
                labels.remove(METRIC_NAME);
                if let Some(bound) = labels.remove("le").as_deref().and_then(bound) {
                    groups.entry(labels).or_default().push((bound, count));
                }
            }
            let quantiles =
                groups.into_iter().map(|(labels, buckets)| (labels, histogram::quantile(*quantile, buckets)));
            Ok(Value::Vector(quantiles.collect()))
        }
        Expr::Aggregate(aggregation, grouping, of) => {
            let elements = vector(evaluate(of, storage, at)?)?;
            Ok(Value::Vector(aggregate(*aggregation, grouping.as_ref(), elements)))
        }
        Expr::Binary(operator, left, right) => {
            binary(*operator, evaluate(left, storage, at)?, evaluate(right, storage, at)?)
        }
        Expr::Foreign(text) => Err(format!("`{text}` is left to a Prometheus server")),
    }
}

/// The series of a result.
///
/// # Errors
/// When it is a number.
pub fn vector(value: Value) -> Result<Vec<Element>, String> {
    match value {
        Value::Vector(elements) => Ok(elements),
        Value::Scalar(_) => Err("a number stands where series are wanted".to_owned()),
    }
}

fn bound(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn without_name(labels: &AlertLabels) -> AlertLabels {
    labels
        .iter()
        .filter(|(name, _)| *name != METRIC_NAME)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn distinct(elements: Vec<Element>) -> Result<Value, String> {
    let labels: HashSet<&AlertLabels> = elements.iter().map(|(labels, _)| labels).collect();
    if labels.len() < elements.len() {
        return Err("the result holds the same labels twice".to_owned());
    }
    Ok(Value::Vector(elements))
}

fn aggregate(aggregation: Aggregation, grouping: Option<&Grouping>, elements: Vec<Element>) -> Vec<Element> {
    let mut groups: BTreeMap<AlertLabels, (f64, f64)> = BTreeMap::new();
    for (labels, value) in elements {
        let stays = |name: &String| match grouping {
            None => false,
            Some(Grouping::By(kept)) => kept.contains(name),
            Some(Grouping::Without(dropped)) => name != METRIC_NAME && !dropped.contains(name),
        };
        let kept = labels.into_iter().filter(|(name, _)| stays(name)).collect();
        let group = groups.entry(kept);
        group
            .and_modify(|(result, count)| {
                *count += 1.0;
                *result = match aggregation {
                    Aggregation::Sum => *result + value,
                    Aggregation::Min if *result > value || result.is_nan() => value,
                    Aggregation::Max if *result < value || result.is_nan() => value,
                    Aggregation::Min | Aggregation::Max | Aggregation::Count => *result,
                    Aggregation::Avg => mean_with(*result, value, *count),
                };
            })
            .or_insert((value, 1.0));
    }
    let result = |(labels, (result, count))| match aggregation {
        Aggregation::Count => (labels, count),
        _ => (labels, result),
    };
    groups.into_iter().map(result).collect()
}

/// The mean with one value more, which makes `count` of them, in Prometheus's order of operations.
fn mean_with(mean: f64, value: f64, count: f64) -> f64 {
    if mean.is_infinite() && (value.is_finite() || value.is_infinite() && mean.signum() == value.signum()) {
        return mean;
    }
    mean + (value / count - mean / count)
}

fn binary(operator: Operator, left: Value, right: Value) -> Result<Value, String> {
    match (left, right) {
        (Value::Vector(left), Value::Vector(right)) if operator.on_sets() => {
            Ok(Value::Vector(sets(operator, left, right)))
        }
        (Value::Vector(left), Value::Vector(right)) => one_to_one(operator, left, right),
        (Value::Vector(left), Value::Scalar(right)) => {
            let each = |(labels, value)| {
                calculate(operator, value, right).map(|result| named(operator, labels, result))
            };
            distinct(left.into_iter().filter_map(each).collect())
        }
        (Value::Scalar(left), Value::Vector(right)) => {
            // A comparison keeps the value of the series, on whichever side it stands.
            let each = |(labels, value): Element| {
                let result = calculate(operator, left, value)?;
                Some(named(operator, labels, if operator.compares() { value } else { result }))
            };
            distinct(right.into_iter().filter_map(each).collect())
        }
        (Value::Scalar(left), Value::Scalar(right)) => match calculate(operator, left, right) {
            Some(result) if !operator.compares() => Ok(Value::Scalar(result)),
            _ => Err("a comparison between two numbers needs `bool`".to_owned()),
        },
    }
}

/// Calculations lose the metric's name, comparisons keep it.
fn named(operator: Operator, labels: AlertLabels, value: f64) -> Element {
    if operator.compares() { (labels, value) } else { (without_name(&labels), value) }
}

/// A calculation's result; a comparison's left side where it holds, and nothing where it doesn't.
fn calculate(operator: Operator, left: f64, right: f64) -> Option<f64> {
    let holds = match operator {
        Operator::Add => return Some(left + right),
        Operator::Subtract => return Some(left - right),
        Operator::Multiply => return Some(left * right),
        Operator::Divide => return Some(left / right),
        Operator::Above => left > right,
        Operator::Below => left < right,
        Operator::AtLeast => left >= right,
        Operator::AtMost => left <= right,
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        Operator::And | Operator::Unless | Operator::Or => return None,
    };
    holds.then_some(left)
}

fn sets(operator: Operator, left: Vec<Element>, right: Vec<Element>) -> Vec<Element> {
    let keys = |elements: &[Element]| -> HashSet<AlertLabels> {
        elements.iter().map(|(labels, _)| without_name(labels)).collect()
    };
    let (on_left, on_right) = (keys(&left), keys(&right));
    match operator {
        Operator::And => {
            left.into_iter().filter(|(labels, _)| on_right.contains(&without_name(labels))).collect()
        }
        Operator::Unless => {
            left.into_iter().filter(|(labels, _)| !on_right.contains(&without_name(labels))).collect()
        }
        _ => {
            let more = right.into_iter().filter(|(labels, _)| !on_left.contains(&without_name(labels)));
            left.into_iter().chain(more).collect()
        }
    }
}

fn one_to_one(operator: Operator, left: Vec<Element>, right: Vec<Element>) -> Result<Value, String> {
    let mut others: HashMap<AlertLabels, f64> = HashMap::new();
    for (labels, value) in right {
        if others.insert(without_name(&labels), value).is_some() {
            return Err("two series of the right side have the same labels".to_owned());
        }
    }
    let mut matched = HashSet::new();
    let mut results = Vec::new();
    for (labels, value) in left {
        let key = without_name(&labels);
        let Some(other) = others.get(&key) else { continue };
        let Some(result) = calculate(operator, value, *other) else { continue };
        if !matched.insert(key) {
            return Err("two series of the left side have the same labels".to_owned());
        }
        results.push(named(operator, labels, result));
    }
    distinct(results)
}
