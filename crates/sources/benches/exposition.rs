//! How fast exposition pages are read: MB/s, and the ratio to bare prometheus-parse on the same page.
//!
//! `cargo bench -p cachescope-sources --bench exposition [-- MEGABYTES]`

#![allow(missing_docs, clippy::print_stdout)] // a bench's result is what it prints

use std::fmt::Write;
use std::io::BufRead;
use std::time::Instant;

use cachescope_model::time::Timestamp;
use cachescope_sources::prometheus::exposition;

const ROUNDS: usize = 5;

fn main() {
    let megabytes = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(50);
    for (name, page) in [("plain", page(megabytes, false)), ("nasty", page(megabytes, true))] {
        let size = page.len() as f64 / 1e6;
        let (ours, series) = fastest(|| exposition::parse(page.as_bytes(), None, Timestamp(0)).samples.len());
        let (bare, bare_series) = fastest(|| {
            let lines = page.as_bytes().lines();
            prometheus_parse::Scrape::parse(lines).map_or(0, |scrape| scrape.samples.len())
        });
        println!(
            "exposition/{name}: {size:.0} MB, {:.1} MB/s ({series} series); bare prometheus-parse {:.1} MB/s \
             ({bare_series} series); ratio {:.2}",
            size / ours,
            size / bare,
            bare / ours
        );
    }
}

/// The fastest of several rounds, in seconds: the others were disturbed.
fn fastest(mut work: impl FnMut() -> usize) -> (f64, usize) {
    let mut best = f64::INFINITY;
    let mut result = 0;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        result = std::hint::black_box(work());
        best = best.min(started.elapsed().as_secs_f64());
    }
    (best, result)
}

/// A page as a busy service has it: counters and histograms by a few labels.
fn page(megabytes: usize, nasty: bool) -> String {
    let mut page = String::with_capacity(megabytes * 1_000_000 + 1000);
    let mut entity = 0;
    while page.len() < megabytes * 1_000_000 {
        entity += 1;
        let kind = if nasty { format!("a,b=\\\"{entity}}}") } else { format!("entity-{entity}") };
        let colon = if nasty { ":" } else { "_" };
        let _ = writeln!(page, "# TYPE cache_hits{entity}_total counter");
        for layer in ["memory", "redis", "database"] {
            let _ = writeln!(
                page,
                "cache{colon}hits{entity}_total{{layer=\"{layer}\",type=\"{kind}\",instance=\"10.0.0.7:8080\"}} {}",
                entity * 31 % 1_000_003
            );
        }
        let _ = writeln!(page, "# TYPE cache_operation_duration{entity}_seconds histogram");
        for le in ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"] {
            let _ = writeln!(
                page,
                "cache{colon}operation_duration{entity}_seconds_bucket{{operation=\"get\",type=\"{kind}\",le=\"{le}\"}} {}",
                entity * 17 % 999_983
            );
        }
        let _ =
            writeln!(page, "cache{colon}operation_duration{entity}_seconds_sum{{operation=\"get\"}} 1.5e-3");
    }
    page
}
