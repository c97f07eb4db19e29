//! Frames are below 8 kB whatever is watched: long words are cut, and an overview of many comes in parts.
//!
//! Figures are never left out, only the words beside them get shorter and the list of servers ends earlier; the
//! whole of both is fetched by request.

use cachescope_model::snapshot::{ControlTotal, NodeSnapshot};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;

use crate::rows::five_digits;
use crate::wire::{Frame, InstanceFrame, OverviewFrame, OverviewRow};

/// Bytes that a frame stays below as JSON. From here on Tauri's channel no longer hands a message to the page
/// but lets it be fetched (`MAX_JSON_DIRECT_EXECUTE_THRESHOLD` in its `ipc/channel.rs`).
const LIMIT: usize = 8_192;

/// Characters of a name: addresses, versions, policies.
const MOST_NAME: usize = 100;

/// What is cut off, mildest first: characters of a sentence, and servers that are listed. The last one fits
/// whatever the words are: what remains are eighteen figures and the names of five sources.
const CUTS: [(usize, usize); 6] = [(300, 16), (160, 16), (160, 8), (100, 4), (60, 2), (0, 0)];

/// Bytes of a frame as JSON.
fn size(frame: &impl serde::Serialize) -> usize {
    // What can't be serialised is never sent; as if it had no end.
    serde_json::to_vec(frame).map_or(usize::MAX, |json| json.len())
}

/// The first so many characters, and whether there were more.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) if most == 0 => String::new(),
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A deployment's figures in a frame that fits.
pub(crate) fn fitted(mut frame: InstanceFrame) -> Frame {
    for reading in frame.readings.values_mut() {
        for figure in [&mut reading.value, &mut reading.low, &mut reading.high] {
            *figure = figure.and_then(five_digits);
        }
        reading.window_seconds = five_digits(reading.window_seconds).unwrap_or_default();
    }
    let mut fitting = Frame::Instance(Box::new(frame.clone()));
    for (characters, nodes) in CUTS {
        fitting = Frame::Instance(Box::new(cut(frame.clone(), characters, nodes)));
        if size(&fitting) < LIMIT {
            break;
        }
    }
    fitting
}

fn cut(mut frame: InstanceFrame, characters: usize, nodes: usize) -> InstanceFrame {
    let sentence = |text: &mut String| *text = shortened(text, characters);
    sentence(&mut frame.detail);
    for reading in frame.readings.values_mut() {
        if let Some(reason) = &mut reading.reason
            && reason.chars().nth(characters).is_some()
        {
            *reason = shortened(reason, characters).into();
        }
    }
    for status in &mut frame.sources {
        sentence(&mut status.detail);
        sentence(&mut status.remedy);
    }
    for ControlTotal { remark, .. } in &mut frame.control_totals {
        sentence(remark);
    }
    frame.nodes.truncate(nodes);
    for NodeSnapshot { node, role, engine, mode, maxmemory_policy, .. } in &mut frame.nodes {
        for name in [node, role, engine, mode, maxmemory_policy] {
            *name = shortened(name, MOST_NAME);
        }
    }
    frame
}

/// The overview in as many frames as it takes, each with the place of its first row.
pub(crate) fn in_parts(at: Timestamp, window: Window, rows: Vec<OverviewRow>) -> Vec<Frame> {
    let total = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let part = |offset: u32| OverviewFrame { at, window, offset: offset.min(total), total, rows: Vec::new() };
    // As large as the numbers of it can make it.
    let envelope = size(&Frame::Overview(OverviewFrame { offset: u32::MAX, ..part(0) }));
    let mut parts = vec![part(0)];
    let mut used = envelope;
    for (place, row) in (0..).zip(rows) {
        let row = rounded(row);
        // With the comma before it.
        let more = size(&row) + 1;
        if used + more >= LIMIT {
            parts.push(part(place));
            used = envelope;
        }
        used += more;
        // A row alone always fits, as its words are bounded: no part stays empty.
        if let Some(last) = parts.last_mut() {
            last.rows.push(row);
        }
    }
    parts.into_iter().map(Frame::Overview).collect()
}

fn rounded(mut row: OverviewRow) -> OverviewRow {
    for figure in [
        &mut row.hit_rate,
        &mut row.latency_p99_seconds,
        &mut row.memory_ratio,
        &mut row.evictions_per_second,
        &mut row.lookups_per_second,
        &mut row.commands_per_second,
    ] {
        *figure = figure.and_then(five_digits);
    }
    row
}

#[cfg(test)]
mod tests {
    use cachescope_model::deployment::{DeploymentId, Environment};
    use cachescope_model::reading::Reading;
    use cachescope_model::reading_kind::ReadingKind;
    use cachescope_model::snapshot::MissCauses;
    use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};

    use super::*;
    use crate::wire::{AlertCounts, ConnectionState, DocumentedLimit};

    const AWKWARD: f64 = 123_456_789.123_456_78;

    fn frame(sentence: &str, nodes: usize) -> InstanceFrame {
        let reading = || {
            Reading::estimated(AWKWARD, AWKWARD / 3.0, AWKWARD * 3.0, "application counters", 59.987_654_321)
                .with_reason(sentence.to_owned())
        };
        let status = |spec: &cachescope_model::source::SourceSpec| SourceStatus {
            source: spec.id,
            health: SourceHealth::Unavailable,
            since: Timestamp(1_800_000_000_000),
            detail: sentence.to_owned(),
            remedy: sentence.to_owned(),
        };
        let total = |what: &str| ControlTotal {
            what: what.to_owned(),
            counted: AWKWARD,
            server: AWKWARD,
            loss_ratio: Some(1.0 / 3.0),
            remark: sentence.to_owned(),
        };
        let node = NodeSnapshot {
            node: sentence.to_owned(),
            role: sentence.to_owned(),
            engine: sentence.to_owned(),
            mode: sentence.to_owned(),
            uptime_seconds: u64::MAX,
            maxmemory: u64::MAX,
            maxmemory_policy: sentence.to_owned(),
        };
        InstanceFrame {
            deployment: DeploymentId("0123456789abcdef0123456789abcdef".to_owned()),
            at: Timestamp(1_800_000_000_000),
            window: Window::FifteenMinutes,
            state: ConnectionState::Partial,
            detail: sentence.to_owned(),
            last_data_at: Some(Timestamp(1_800_000_000_000)),
            readings: ReadingKind::ALL.iter().map(|spec| (spec.kind, reading())).collect(),
            hit_rate_target: Some(0.123_456_789_012_345_6),
            limits: vec![
                DocumentedLimit { kind: ReadingKind::LatencyP99Seconds, above: true, value: 0.01 };
                8
            ],
            miss_causes: MissCauses { expired: u64::MAX, evicted: u64::MAX, ..MissCauses::default() },
            nodes: vec![node; nodes],
            node_count: u32::try_from(nodes).expect("a test's number"),
            namespace_count: 5_000,
            finding_count: 5_000,
            alerts: many_alerts(),
            sources: SourceId::ALL.iter().map(status).collect(),
            control_totals: ["misses", "evictions", "expirations", "application"].map(total).to_vec(),
        }
    }

    fn row(number: usize, sentence: &str) -> OverviewRow {
        OverviewRow {
            id: DeploymentId(format!("{number:032x}")),
            name: shortened(sentence, 300),
            environment: Environment::Production,
            state: ConnectionState::Partial,
            detail: shortened(sentence, 300),
            hit_rate: Some(0.123_456_789_012_345_6),
            hit_rate_target: Some(0.95),
            latency_p99_seconds: Some(0.001_234_567_890_123),
            memory_ratio: Some(0.123_456_789_012_345_6),
            evictions_per_second: Some(AWKWARD),
            lookups_per_second: Some(AWKWARD),
            commands_per_second: Some(AWKWARD),
            findings: u32::MAX,
            alerts: many_alerts(),
        }
    }

    fn many_alerts() -> AlertCounts {
        let most = u32::MAX;
        AlertCounts { critical: most, warning: most, info: most, pending: most, quiet: most, failing: most }
    }

    /// Each character takes six bytes of JSON, more than any other.
    fn worst() -> String {
        "\u{1}".repeat(5_000)
    }

    #[test]
    fn a_deployments_frame_fits_whatever_its_words_are_and_keeps_every_figure() {
        for sentence in ["", &"word ".repeat(40), &"näher ".repeat(400), &worst()] {
            for nodes in [0, 1, 500] {
                let fitting = fitted(frame(sentence, nodes));
                let told = format!("{} bytes of words, {nodes} nodes", sentence.len());
                assert!(size(&fitting) < LIMIT, "{told}: {} bytes", size(&fitting));
                let Frame::Instance(fitting) = fitting else { panic!("another kind of frame") };
                assert_eq!(fitting.readings.len(), ReadingKind::ALL.len(), "{told}");
                assert_eq!(fitting.sources.len(), SourceId::ALL.len(), "{told}");
                assert_eq!(fitting.node_count as usize, nodes, "{told}");
                for reading in fitting.readings.values() {
                    let value = reading.value.expect("it had one");
                    assert!((value / AWKWARD - 1.0).abs() < 1e-4, "{told}: {value}");
                }
            }
        }
    }

    #[test]
    fn words_that_fit_are_left_whole() {
        let Frame::Instance(fitting) = fitted(frame("Short and clear.", 3)) else {
            panic!("another kind of frame")
        };
        assert_eq!(fitting.detail, "Short and clear.");
        assert_eq!(fitting.nodes.len(), 3);
    }

    #[test]
    fn an_overview_of_many_comes_in_parts_that_fit_and_follow_one_another() {
        for (count, sentence) in [(0, ""), (1, ""), (100, "orders"), (300, "word "), (100, &worst())] {
            let rows: Vec<_> = (0..count).map(|number| row(number, sentence)).collect();
            let parts = in_parts(Timestamp(1_800_000_000_000), Window::OneDay, rows);
            let mut ids = Vec::new();
            for part in parts {
                assert!(size(&part) < LIMIT, "{count} rows: {} bytes", size(&part));
                let Frame::Overview(part) = part else { panic!("another kind of frame") };
                assert_eq!((part.offset as usize, part.total as usize), (ids.len(), count));
                assert!(count == 0 || !part.rows.is_empty(), "a part without rows says nothing");
                ids.extend(part.rows.into_iter().map(|row| row.id.0));
            }
            let all: Vec<_> = (0..count).map(|number| format!("{number:032x}")).collect();
            assert_eq!(ids, all);
        }
    }

    #[test]
    fn a_few_deployments_fit_into_one_frame() {
        let rows: Vec<_> = (0..12).map(|number| row(number, "a deployment's name")).collect();
        assert_eq!(in_parts(Timestamp(0), Window::OneMinute, rows).len(), 1);
    }
}
