//! Keys a second that the matcher names over 100 templates, beside RegexSet as a peer; and what a snapshot of
//! 5,000 namespaces costs.
//!
//! Prints one line a figure: name, value, unit; ratios where there is a peer.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_engine::matcher::Matcher;
use cachescope_engine::{Engine, EngineOptions};
use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::observation::{EventChannels, Observation, Observed};
use cachescope_model::strategy::{Namespace, Strategy};
use cachescope_model::template::{FieldKind, Part, Template};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;

const WORDS: [&str; 25] = [
    "user",
    "session",
    "organization",
    "project",
    "task",
    "dashboard",
    "report",
    "invoice",
    "product",
    "cart",
    "feature",
    "flag",
    "permission",
    "tenant",
    "analytics",
    "summary",
    "search",
    "page",
    "fragment",
    "image",
    "order",
    "payment",
    "shipment",
    "review",
    "notification",
];

fn templates() -> Vec<Template> {
    let shapes = ["{w}:{id}", "{w}:{tenant}:{id}", "{w}:{tenant}:list", "cache:{w}:{page}:v{version#}"];
    let texts = WORDS.iter().flat_map(|word| shapes.iter().map(move |shape| shape.replace("{w}", word)));
    texts.map(|text| Template::parse(&text).expect("the benchmark's own templates are valid")).collect()
}

fn keys() -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    for number in 0..1_000u64 {
        let word = WORDS[(number * 7 % 25) as usize];
        let id = number.wrapping_mul(2_654_435_761);
        keys.push(match number % 5 {
            0 => format!("{word}:{id}"),
            1 => format!("{word}:tenant-{}:{id:x}", number % 40),
            2 => format!("{word}:tenant-{}:list", number % 40),
            3 => format!("cache:{word}:page-{}:v{}", number % 90, number % 9),
            _ => format!("unknown:{word}:{id}"),
        });
    }
    keys.into_iter().map(String::into_bytes).collect()
}

/// The same templates as regular expressions over bytes.
fn expression(template: &Template) -> String {
    let mut text = "(?-u)^".to_owned();
    for part in template.parts() {
        match part {
            Part::Literal(bytes) => text.push_str(&regex::escape(&String::from_utf8_lossy(bytes))),
            Part::Field { kind: FieldKind::Digits, .. } => text.push_str("[0-9]+"),
            Part::Field { kind: FieldKind::Segment, .. } => text.push_str("[^:]+"),
            Part::Field { kind: FieldKind::Rest, .. } => text.push_str("(?s:.)+"),
        }
    }
    text + "$"
}

fn per_second(keys: &[Vec<u8>], mut name: impl FnMut(&[u8]) -> bool) -> f64 {
    let (began, mut done) = (Instant::now(), 0usize);
    while began.elapsed() < Duration::from_secs(1) {
        for key in keys {
            black_box(name(black_box(key)));
        }
        done += keys.len();
    }
    done as f64 / began.elapsed().as_secs_f64()
}

fn main() {
    let mut out = String::new();
    let templates = templates();
    let keys = keys();
    let matcher =
        Matcher::new(&templates.iter().map(|template| (template.clone(), None)).collect::<Vec<_>>());
    let set = regex::bytes::RegexSet::new(templates.iter().map(expression))
        .expect("escaped literals and classes are valid expressions");
    let ours = per_second(&keys, |key| matcher.find(0, key).is_some());
    let peer = per_second(&keys, |key| set.matches(key).matched_any());
    let _ = writeln!(out, "matcher over {} templates: {:.1} million keys/s", templates.len(), ours / 1e6);
    let _ = writeln!(out, "RegexSet over the same: {:.2} million keys/s", peer / 1e6);
    let _ = writeln!(out, "ratio: {:.1} (at least 5 million keys/s are needed)", ours / peer);

    let at = |seconds: i64| Timestamp::from_seconds(1_800_000_000 + seconds);
    let strategy = Strategy {
        namespaces: (0..5_000)
            .map(|number| Template::parse(&format!("ns{number}:{{id}}")).expect("a valid template"))
            .map(Namespace::new)
            .collect(),
        ..Strategy::default()
    };
    let mut engine = Engine::new(&strategy, EngineOptions::default());
    let on = Some(true);
    let channels =
        EventChannels { misses: on, evictions: on, expirations: on, deletions: None, additions: None };
    let node: Arc<str> = Arc::from("redis:6379");
    engine.observe(&Observation { at: at(0), node: node.clone(), what: Observed::EventsBegan(channels) });
    let (mut events, mut spent) = (0usize, Duration::ZERO);
    for second in 0..120 {
        let mut batch = KeyEventBatch::default();
        for number in 0..5_000 {
            batch.push(KeyEventKind::Miss, 0, format!("ns{number}:{second}").as_bytes());
        }
        events += batch.len();
        let observation = Observation { at: at(second), node: node.clone(), what: Observed::Events(batch) };
        let began = Instant::now();
        engine.observe(&observation);
        spent += began.elapsed();
    }
    let _ = writeln!(out, "events taken in: {:.1} million/s", events as f64 / spent.as_secs_f64() / 1e6);
    let began = Instant::now();
    for _ in 0..20 {
        black_box(engine.snapshot(at(120), Window::OneMinute));
    }
    let millis = began.elapsed().as_secs_f64() * 1000.0 / 20.0;
    let _ = writeln!(out, "snapshot of {} namespaces: {millis:.1} ms", engine.namespaces());
    emit(&out);
}

#[expect(clippy::print_stdout, reason = "the figures are this program's result")]
fn emit(text: &str) {
    print!("{text}");
}
