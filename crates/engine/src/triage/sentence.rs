//! One to four plain sentences.

use cachescope_model::alert::label;
use cachescope_model::reading_kind::{ReadingKind as R, Unit};
use cachescope_model::strategy::{Comparison, Rule, Strategy, Subject};
use cachescope_model::time::Timestamp;
use cachescope_model::triage::{MissCause, Triage};

use super::words::{figure, percent, span};
use super::{Drive, Question, shares};
use crate::engine::Engine;

/// Namespaces that are named in one sentence.
const MOST_NAMED: usize = 3;
/// A mark this close to the onset is named with it.
const JUST_MILLIS: i64 = 120_000;

pub(super) fn of(engine: &Engine, question: &Question<'_>, drive: Drive, triage: &Triage) -> String {
    let mut sentences = vec![head(engine, question, triage)];
    match drive {
        Drive::Nothing => {}
        Drive::Latency(kind) => sentences.extend(latency(engine, kind, question, triage)),
        Drive::Elsewhere => sentences.push(elsewhere(engine, question, triage)),
        Drive::Misses if triage.carriers.is_empty() => {
            sentences.extend(fewer_lookups(engine, question, triage));
        }
        _ => {}
    }
    if matches!(drive, Drive::Misses | Drive::Evictions | Drive::Memory)
        || (drive == Drive::Elsewhere && has_more_misses(triage))
    {
        sentences.extend(carriers(question, triage));
    }
    sentences.extend(cliff(triage));
    sentences.extend(memory(triage));
    sentences.extend(since(triage));
    let mut text: String =
        sentences.into_iter().filter(|sentence| !sentence.is_empty()).collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        text.clone_from(&question.rule.summary);
    }
    text
}

/// What a rule judges, in words.
pub(super) fn judged(strategy: &Strategy, rule: &Rule) -> String {
    match &rule.subject {
        Subject::Signal { signal } => {
            let known = strategy.signals.iter().find(|known| known.name == *signal);
            known.map_or_else(|| signal.clone(), |known| known.title.clone())
        }
        Subject::Reachable => "reachable".to_owned(),
        Subject::Promql { .. } => rule.name.clone(),
        subject => subject.reading().map_or_else(String::new, |kind| lower(kind.spec().title)),
    }
}

/// A title within a sentence: `TTL p50` stays.
fn lower(title: &str) -> String {
    let mut characters = title.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => title.to_owned(),
    }
}

fn upper(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// `Sessions: hit rate 71 % for 6 min, target 95 % (96 % before).`
fn head(engine: &Engine, question: &Question<'_>, triage: &Triage) -> String {
    let Question { rule, alert, now, .. } = *question;
    if matches!(rule.subject, Subject::Reachable) {
        let lasts = span(now.seconds_since(alert.active_at));
        return format!("The cache has not answered for {lasts}.");
    }
    let mut about = Vec::new();
    if let Some(name) = alert.labels.get(label::NAMESPACE) {
        let title = engine.strategy.namespace(name).map(|known| known.title.as_str());
        about.push(title.filter(|title| !title.is_empty()).unwrap_or(name).to_owned());
    }
    for (name, word) in [(label::TENANT, "tenant"), (label::LAYER, "layer"), (label::NODE, "server")] {
        about.extend(alert.labels.get(name).map(|value| format!("{word} {value}")));
    }
    let mut text = match about.as_slice() {
        [] => upper(&triage.subject),
        parts => format!("{}: {}", upper(&parts.join(", ")), triage.subject),
    };
    if let Some(value) = triage.value {
        text.push_str(&format!(" {}", figure(value, triage.unit)));
    }
    text.push_str(&format!(" for {}", span(now.seconds_since(alert.active_at))));
    if let Some(threshold) = rule.threshold {
        let word = match threshold.comparison {
            Comparison::Below | Comparison::AtMost => "target",
            Comparison::Above | Comparison::AtLeast => "limit",
        };
        text.push_str(&format!(", {word} {}", figure(threshold.value, triage.unit)));
    }
    if let Some(before) = triage.before {
        text.push_str(&format!(" ({} before)", figure(before, triage.unit)));
    }
    text.push('.');
    text
}

/// `Users carries 63 % and Orders 20 % of the extra misses; 84 % of them are keys evicted before their time.`
fn carriers(question: &Question<'_>, triage: &Triage) -> Option<String> {
    let about_one = question.alert.labels.contains_key(label::NAMESPACE);
    let mut text = String::new();
    if !about_one && !triage.carriers.is_empty() {
        let named: Vec<String> = triage
            .carriers
            .iter()
            .filter(|carrier| carrier.share >= 0.1)
            .take(MOST_NAMED)
            .map(|carrier| format!("{} {}", carrier.title, percent(carrier.share)))
            .collect();
        if named.is_empty() {
            text = format!("The {} are spread over many namespaces", triage.carried);
        } else {
            text = format!("Of the {}: {}", triage.carried, named.join(", "));
        }
    }
    if let Some(tenant) = triage.tenants.first().filter(|tenant| tenant.share >= 0.4) {
        let of = match triage.carriers.first() {
            Some(first) if !about_one => format!(" of {}", first.title),
            _ => String::new(),
        };
        let words = format!("tenant {} makes {} of those{of}", tenant.tenant, percent(tenant.share));
        text = if text.is_empty() { upper(&words) } else { format!("{text}; {words}") };
    }
    if let Some(main) = triage.causes.first() {
        let mut words = format!("{} are {}", percent(main.share), phrase(main.cause, triage));
        if let Some(second) = triage.causes.get(1).filter(|second| second.share >= 0.2) {
            words.push_str(&format!(", {} {}", percent(second.share), phrase(second.cause, triage)));
        }
        let of = if triage.causes_of_all {
            " of the misses"
        } else if about_one || triage.carried != shares::EXTRA_MISSES {
            " of the extra misses"
        } else {
            ""
        };
        let words = match words.split_once(" are ") {
            Some((share, rest)) => format!("{share}{of} are {rest}"),
            None => words,
        };
        text = if text.is_empty() { words } else { format!("{text}. {words}") };
    }
    (!text.is_empty()).then(|| format!("{text}."))
}

fn phrase(cause: MissCause, triage: &Triage) -> String {
    match cause {
        MissCause::Expired => "keys whose time to live ran out".to_owned(),
        MissCause::Evicted => "keys evicted before their time to live".to_owned(),
        MissCause::Deleted => "keys that were deleted".to_owned(),
        MissCause::Flushed => "keys of a flushed database".to_owned(),
        MissCause::Cold => match &triage.new_version {
            Some(version) => format!("keys of the new version {version}"),
            None => "keys that were not there before".to_owned(),
        },
        MissCause::Unknown => "of a cause that is not told".to_owned(),
    }
}

fn has_more_misses(triage: &Triage) -> bool {
    let sum =
        |of: fn(&cachescope_model::triage::Carrier) -> f64| -> f64 { triage.carriers.iter().map(of).sum() };
    sum(|carrier| carrier.now) > 1.3 * sum(|carrier| carrier.before) + 1.0
}

/// Whether a signal has to do with misses.
fn elsewhere(engine: &Engine, question: &Question<'_>, triage: &Triage) -> String {
    let Some(onset) = triage.onset.or(Some(question.alert.active_at)) else { return String::new() };
    let misses = |from: i64, to: i64| engine.average(None, R::MissesPerSecond, from, to);
    let (began, now) = (onset.millis(), question.now.millis());
    let before = [600_000, 120_000, 30_000].into_iter().find_map(|span| misses(began - span, began));
    let (Some(before), Some(now)) = (before, misses(began.min(now - 10_000), now)) else {
        return String::new();
    };
    let (was, is) = (figure(before, Some(Unit::PerSecond)), figure(now, Some(Unit::PerSecond)));
    if now > 1.3 * before + 1.0 {
        format!("Misses rose from {was} to {is}, and each is a load of the source behind the cache.")
    } else {
        format!("The cache misses no more than before ({is}, {was} before): the load comes from elsewhere.")
    }
}

/// A hit rate that fell without more misses.
fn fewer_lookups(engine: &Engine, question: &Question<'_>, triage: &Triage) -> Option<String> {
    triage.before?;
    let about = engine.about(question.alert);
    let began = triage.onset.unwrap_or(question.alert.active_at).millis();
    let now = question.now.millis();
    let lookups = |from: i64, to: i64| engine.average(about.as_deref(), R::LookupsPerSecond, from, to);
    let before = lookups(began - 120_000, began)?;
    let since = lookups(began.min(now - 10_000), now)?;
    (since < 0.8 * before).then(|| {
        format!(
            "Misses did not grow; lookups fell from {} to {}, so what hits is asked for less.",
            figure(before, Some(Unit::PerSecond)),
            figure(since, Some(Unit::PerSecond))
        )
    })
}

/// Whether all are slow alike, and whether the time is lost inside the server.
fn latency(engine: &Engine, kind: R, question: &Question<'_>, triage: &Triage) -> Vec<String> {
    let mut sentences = Vec::new();
    let slowed: Vec<_> = triage.carriers.iter().filter(|it| it.now > 1.5 * it.before).collect();
    let about_one = question.alert.labels.contains_key(label::NAMESPACE);
    if !about_one {
        match slowed.as_slice() {
            [] => {}
            [only] if only.share >= 0.6 => sentences.push(format!(
                "{} is slow: {} after {}.",
                only.title,
                figure(only.now, Some(Unit::Seconds)),
                figure(only.before, Some(Unit::Seconds))
            )),
            several => {
                let named: Vec<String> = several
                    .iter()
                    .take(MOST_NAMED)
                    .map(|it| format!("{} {}", it.title, figure(it.now, Some(Unit::Seconds))))
                    .collect();
                let all = several.len() == triage.carriers.len();
                let how = if all { "All namespaces are slow alike" } else { "Several namespaces are slow" };
                sentences.push(format!("{how}: {}.", named.join(", ")));
            }
        }
    }
    let began = triage.onset.unwrap_or(question.alert.active_at).millis();
    let now = question.now.millis();
    let inside = |from: i64, to: i64| engine.average(None, R::ExecutionMeanSeconds, from, to);
    let is_latency = !matches!(
        kind,
        R::ExecutionMeanSeconds | R::ExecutionP50Seconds | R::ExecutionP95Seconds | R::ExecutionP99Seconds
    );
    if is_latency
        && let (Some(before), Some(since)) =
            (inside(began - 120_000, began), inside(began.min(now - 10_000), now))
    {
        let (was, is) = (figure(before, Some(Unit::Seconds)), figure(since, Some(Unit::Seconds)));
        sentences.push(if since > 1.5 * before {
            format!("The commands themselves take longer inside the server: {is} after {was}.")
        } else {
            format!(
                "Inside the server commands take {is}, {was} before: the time is lost waiting for it or on the \
                 way (a pause, one slow command, the network)."
            )
        });
    }
    sentences
}

fn cliff(triage: &Triage) -> Option<String> {
    let cliff = triage.ttl_cliff.as_ref()?;
    Some(format!(
        "{} keys ran out within {} from {} on (a TTL cliff; {} before).",
        figure(cliff.keys, Some(Unit::Count)),
        span(cliff.seconds),
        clock(cliff.at),
        figure(cliff.before_per_second, Some(Unit::PerSecond))
    ))
}

fn memory(triage: &Triage) -> Option<String> {
    let memory = triage.memory.as_ref()?;
    let of = if memory.of_maxmemory { "maxmemory" } else { "the system's memory" };
    let mut text = format!("Memory is at {} of {of}", percent(memory.ratio));
    if memory.evictions_per_second > 0.0 {
        text.push_str(&format!(", {} evicted", figure(memory.evictions_per_second, Some(Unit::PerSecond))));
        text.push_str(&format!(" ({} before)", figure(memory.evictions_before, Some(Unit::PerSecond))));
    }
    if let Some(grown) = &triage.grown {
        let bytes = figure(grown.now - grown.before, Some(Unit::Bytes));
        text.push_str(&format!("; {} grew by {bytes}", grown.title));
    }
    text.push('.');
    Some(text)
}

/// `Since 14:02:10 UTC, just after the deploy 4f21c8.`
fn since(triage: &Triage) -> Option<String> {
    let onset = triage.onset?;
    let mut text = format!("Since {}", clock(onset));
    let just = triage.near.iter().find(|mark| (mark.at.millis() - onset.millis()).abs() <= JUST_MILLIS);
    if let Some(mark) = just {
        let kind = match mark.kind {
            cachescope_model::marks::MarkKind::Note => String::new(),
            kind => format!("{} ", kind.name()),
        };
        text.push_str(&format!(", near “{kind}{}” at {}", mark.text, clock(mark.at)));
    }
    text.push('.');
    Some(text)
}

/// Time of day in UTC.
fn clock(at: Timestamp) -> String {
    let second = at.millis().div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02} UTC", second / 3_600, second / 60 % 60, second % 60)
}
