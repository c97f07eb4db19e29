//! What Prometheus can't be asked: good lines beside bad ones, quoted names, limits. The rest is compared with
//! a real Prometheus in `tests/prometheus_exposition.rs`.

use std::fmt::Write;

use proptest::prelude::*;

use super::line_error::LineError;
use super::*;

const AT: Timestamp = Timestamp(1_700_000_000_000);

/// A series' name, labels and value.
type Series<'p> = (&'p str, Vec<(&'p str, &'p str)>, f64);

fn series(page: &Page) -> Vec<Series<'_>> {
    page.samples.iter().map(|sample| (sample.name(), sample.labels().collect(), sample.value)).collect()
}

#[test]
fn good_lines_are_read_beside_bad_ones_which_are_told_with_their_numbers() {
    let page = parse(
        b"a 1\n\nb one\n# TYPE b gauge\n# TYPE c wrong\nc{x=\"1} 2\nd{x=\"2\"} 3\n e 4\nf 5\r\ng 6 7 8\nh 9",
        None,
        AT,
    );
    assert_eq!(
        series(&page),
        [("a", vec![], 1.0), ("d", vec![("x", "2")], 3.0), ("h", vec![], 9.0)],
        "{:?}",
        page.bad_lines
    );
    let told: Vec<_> = page.bad_lines.iter().map(|bad| (bad.line, bad.error.as_str())).collect();
    assert_eq!(
        told,
        [
            (3, r#"the value "one" is not a number"#),
            (5, r#""wrong" is not a metric type of this format"#),
            (6, "a quotation mark is not closed in this line"),
            (8, "a space before the metric name; Prometheus takes it for a part of the name"),
            (9, "the line ends with a carriage return; lines must end with \\n alone"),
            (10, r#"the end of the line expected, found "8""#),
        ]
    );
    assert_eq!(page.bad_line_count, 6);
    assert_eq!(page.types.get("b"), Some(&MetricType::Gauge));
}

#[test]
fn a_page_that_is_no_metrics_gives_one_sentence() {
    for html in ["<!DOCTYPE html><html>", "  \n<html>", "\u{feff}<html lang=en>"] {
        let page = parse(html.as_bytes(), Some("text/html"), AT);
        assert!(page.is_unreadable());
        assert_eq!((page.samples.len(), page.bad_line_count), (0, 1));
        assert!(page.bad_lines[0].error.contains("HTML page, not metrics: try"), "{:?}", page.bad_lines);
    }
    let binary = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily";
    let page = parse(b"\x0a\x01", Some(binary), AT);
    assert!(page.is_unreadable() && page.bad_lines[0].error.contains("binary"), "{:?}", page.bad_lines);
}

#[test]
fn an_openmetrics_page_that_is_cut_off_keeps_its_series_and_says_so() {
    let openmetrics = Some("application/openmetrics-text; version=1.0.0");
    for (cut, line) in [("a 1\nb{x=\"1\"} 2\n", 3), ("a 1\nb{x=\"1\"} 2", 2)] {
        let page = parse(cut.as_bytes(), openmetrics, AT);
        assert_eq!(page.samples.len(), 2, "{cut:?}");
        let told = [BadLine { line, error: LineError::NoEof.to_string() }];
        assert_eq!(page.bad_lines, told, "{cut:?}");
    }
    let page = parse(b"a 1\n# EOF\nb 2\n", openmetrics, AT);
    assert_eq!((page.samples.len(), page.bad_lines[0].line), (1, 2));
}

#[test]
fn names_in_quotation_marks_are_read_and_counted_although_prometheus_2_refuses_them() {
    let text = "# TYPE \"http.requests\" counter\n{\"http.requests\"} 1\n{\"http.requests\",\"a b\"=\"c,d\",x=\"y\"} 2\n\
                m{\"é\"=\"1\"} 3\n{\"a\\\"b\\n\"} 4\n";
    for (page, content_type) in
        [(text.to_owned(), "text/plain"), (format!("{text}# EOF\n"), "application/openmetrics-text")]
    {
        let page = parse(page.as_bytes(), Some(content_type), AT);
        assert_eq!(page.bad_lines, []);
        assert_eq!(page.quoted_names, 4);
        assert_eq!(
            series(&page),
            [
                ("http.requests", vec![], 1.0),
                ("http.requests", vec![("a b", "c,d"), ("x", "y")], 2.0),
                ("m", vec![("é", "1")], 3.0),
                ("a\"b\n", vec![], 4.0),
            ]
        );
        assert_eq!(page.types.get("http.requests"), Some(&MetricType::Counter));
    }
    for bad in ["{\"a\",\"b\"} 1", "m{\"a\"} 1", "{\"\"} 1", "{\"a\"", "{} 1", "{\"a\"=\"b\"} 1"] {
        assert_eq!(parse(bad.as_bytes(), None, AT).bad_line_count, 1, "{bad}");
    }
}

#[test]
fn times_are_the_lines_own_or_else_the_fetchs() {
    let page = parse(b"a 1\nb 2 1600000000123\nc 3 0\nd 4 9223372036854775807\n", None, AT);
    let times: Vec<_> = page.samples.iter().map(|sample| sample.at.millis()).collect();
    assert_eq!(times, [AT.millis(), 1_600_000_000_123, 0, i64::MAX]);
    let page = parse(b"a 1 1600000000.1239\nb 1 -1.5\n# EOF\n", Some("application/openmetrics-text"), AT);
    let times: Vec<_> = page.samples.iter().map(|sample| sample.at.millis()).collect();
    assert_eq!(times, [1_600_000_000_123, -1500]);
}

#[test]
fn of_bad_lines_only_the_first_are_kept_and_all_are_counted() {
    let mut page = String::new();
    for number in 0..10_000 {
        let _ = writeln!(page, "good{number} 1\nbad{{x=\"{number} 1");
    }
    let page = parse(page.as_bytes(), None, AT);
    assert_eq!((page.samples.len(), page.bad_line_count), (10_000, 10_000));
    assert_eq!(page.bad_lines.len(), MAX_BAD_LINES_KEPT);
    let lines: Vec<_> = page.bad_lines.iter().map(|bad| bad.line).collect();
    assert_eq!(lines, (1..=MAX_BAD_LINES_KEPT).map(|number| 2 * number).collect::<Vec<_>>());
}

#[test]
fn a_large_page_is_read_like_its_parts() {
    let mut page = String::new();
    let lines = 60_000;
    for number in 0..lines {
        let _ = writeln!(page, "metric:{number}{{label=\"value,{number}\"}} {number}.5");
    }
    page.push_str("bad line\nlast 1\n");
    assert!(page.len() > 2 * 1024 * 1024, "it is large enough for a second thread");
    let whole = parse(page.as_bytes(), None, AT);
    assert_eq!((whole.samples.len(), whole.bad_line_count), (lines + 1, 1));
    assert_eq!(whole.bad_lines[0].line, lines + 1);
    let parts: Vec<Sample> =
        page.split_inclusive('\n').flat_map(|line| parse(line.as_bytes(), None, AT).samples).collect();
    assert_eq!(whole.samples, parts);
}

#[test]
fn an_error_quotes_no_more_of_a_line_than_a_person_can_read() {
    let page = parse(format!("m {}\n", "x".repeat(1_000_000)).as_bytes(), None, AT);
    assert!(page.bad_lines[0].error.len() < 200, "{}", page.bad_lines[0].error);
}

#[test]
fn only_accepted_metrics_are_kept_and_the_others_are_counted() {
    let page = b"cache_hits_total 1\ngo_goroutines 2\nbad\ngo_threads 3\n";
    let page = parse_accepted(page, None, AT, &|name| name.starts_with("cache_"));
    assert_eq!((page.samples.len(), page.not_accepted, page.bad_line_count), (1, 2, 1));
}

#[test]
fn a_nul_byte_ends_the_page_and_the_rest_is_counted() {
    let page = parse(b"a 1\n\0b 2\n", None, AT);
    assert_eq!((page.samples.len(), page.bad_line_count, page.unread_bytes), (1, 0, 4));
}

/// What this label value looks like in a page.
fn written(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

proptest! {
    #[test]
    fn any_series_written_by_the_format_is_read_back(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
        labels in prop::collection::btree_map("[a-z][a-zA-Z0-9_]{0,5}", ".{1,20}", 0..5),
        value in any::<f64>(),
    ) {
        prop_assume!(labels.values().all(|value| !value.contains('\0')));
        let pairs: Vec<_> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", written(value))).collect();
        let braces = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        let page = parse(format!("{name}{braces} {value:e}\n").as_bytes(), None, AT);
        prop_assert_eq!(&page.bad_lines, &[]);
        prop_assert_eq!(page.samples.len(), 1);
        let sample = &page.samples[0];
        prop_assert_eq!(sample.name(), &name);
        let labels: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        prop_assert_eq!(sample.labels().collect::<Vec<_>>(), labels);
        prop_assert!(sample.value == value || sample.value.is_nan() && value.is_nan());
    }

    #[test]
    fn no_bytes_make_it_panic_and_every_line_is_read_or_told(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for content_type in ["text/plain", "application/openmetrics-text"] {
            let page = parse(&bytes, Some(content_type), AT);
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            prop_assert!(page.samples.len() as u64 + page.bad_line_count <= lines + 1);
        }
    }
}

/// Lines, good and bad, and what makes a page's end.
const FRAGMENTS: [&str; 22] = [
    "a 1\n",
    "b{x=\"1\",y=\"é\"} 2\n",
    "b{y=\"é\",x=\"1\"} 3\n",
    "c{over=\"two\nlines\"} 4\n",
    "c{over=\"three\n\nlines\"} 5 1700000000000\n",
    "d{esc=\"\\\"} # {\\\n\"} 6\n",
    "{\"quoted name\",x=\"1\"} 7\n",
    "# HELP e what it is\n",
    "# TYPE e counter\n",
    "# TYPE f wrong\n",
    "# a comment\n",
    "\n",
    "e_total 8\n",
    "g{x=\"unclosed} 9\n",
    "h one\n",
    " i 1\n",
    "j 1\r\n",
    "k 1 2 3\n",
    "l 1",
    "# EOF\n",
    "# EOF",
    "\0",
];

proptest! {
    #[test]
    fn a_page_that_arrives_in_pieces_is_the_page_that_arrives_whole(
        places in proptest::collection::vec(0..FRAGMENTS.len(), 0..40),
        pieces in proptest::collection::vec(1usize..60, 1..20),
        part_bytes in 1usize..200,
        openmetrics in proptest::bool::ANY,
    ) {
        let page: String = places.into_iter().map(|place| FRAGMENTS[place]).collect();
        let content_type = openmetrics.then_some("application/openmetrics-text; version=1.0.0");
        let accept = |name: &str| name != "a";
        let mut incoming = Incoming::in_parts(part_bytes, content_type, AT);
        let mut rest = page.as_bytes();
        for length in pieces.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(length.min(rest.len()));
            incoming.push(piece, &accept);
            rest = after;
        }
        let whole = parse_accepted(page.as_bytes(), content_type, AT, &accept);
        prop_assert_eq!(&incoming.finish(&accept).0, &whole);
        // What was known of other pages changes nothing.
        let known = Incoming::new(content_type, AT).finish(&accept).1;
        let mut again = Incoming::new(content_type, AT).knowing(known);
        again.push(page.as_bytes(), &accept);
        let (first, known) = again.finish(&accept);
        prop_assert_eq!(&first, &whole);
        let mut again = Incoming::new(content_type, AT).knowing(known);
        again.push(page.as_bytes(), &accept);
        prop_assert_eq!(&again.finish(&accept).0, &whole);
    }
}
