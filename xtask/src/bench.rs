//! `cargo xtask bench`: the benchmarks in release builds, and their ratios to what else does the same.
//!
//! Two kinds of benches exist. Those that criterion runs leave their results in `target/criterion`; in a group,
//! the one whose name begins with `peer` is what the others are compared with. The others print lines of the
//! form `name: figure; ratio NUMBER` themselves.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::packages::Purpose;
use crate::workspace::target;
use crate::{display, page, run, setup};

/// The packages with benches, and whether those open windows.
const PACKAGES: [(&str, bool); 3] =
    [("cachescope-engine", false), ("cachescope-sources", false), ("cachescope-tests", true)];

/// Runs all of them and prints a table.
pub(crate) fn run() -> Result<()> {
    setup::prepare(Purpose::Test)?;
    page::build()?;
    run::foreground(&mut run::cargo(&[
        "build",
        "--release",
        "-p",
        "cachescope-desktop",
        "-p",
        "cachescope-cli",
    ]))?;
    let criterion = target().join("criterion");
    if criterion.exists() {
        // Results of benches that no longer exist must not be shown as today's.
        fs::remove_dir_all(&criterion)?;
    }
    let mut printed = Vec::new();
    for (package, windows) in PACKAGES {
        printed.extend(bench(package, windows)?);
    }

    eprintln!("\n━━ results");
    for line in printed.iter().filter(|line| line.contains("ratio ")) {
        say(line);
    }
    let mut results = Vec::new();
    if criterion.exists() {
        collect(&criterion, &mut results)?;
    }
    for line in table(&results) {
        say(&line);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the results are what this command is for")]
fn say(line: &str) {
    println!("{line}");
}

/// Runs the benches of a package, shows what they print and keeps it.
fn bench(package: &str, windows: bool) -> Result<Vec<String>> {
    let cargo = run::cargo(&["bench", "-p", package]);
    let mut command = if windows {
        let mut command = display::virtual_display("env");
        command.arg(cargo.get_program()).args(cargo.get_args());
        command
    } else {
        cargo
    };
    eprintln!("\n━━ {package}");
    let release =
        |name: &str| target().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let mut child = command
        .env("CACHESCOPE_DESKTOP_BIN", release("cachescope-desktop"))
        .env("CACHESCOPE_BIN", release("cachescope"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("standard output was asked for")?;
    let mut lines = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        eprintln!("{line}");
        lines.push(line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("the benches of {package} failed ({status})");
    }
    Ok(lines)
}

/// What criterion measured for one bench.
struct Measured {
    group: String,
    name: String,
    seconds: f64,
    /// What one iteration handles: a number of `elements` or `bytes`.
    throughput: Option<(f64, &'static str)>,
}

/// Finds the results below `folder`: criterion keeps each in a folder `new`.
fn collect(folder: &Path, results: &mut Vec<Measured>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if path.file_name().is_some_and(|name| name == "new") && path.join("benchmark.json").is_file() {
            results.push(measured(&path)?);
        } else {
            collect(&path, results)?;
        }
    }
    Ok(())
}

fn measured(folder: &Path) -> Result<Measured> {
    let read =
        |name: &str| -> Result<Value> { Ok(serde_json::from_str(&fs::read_to_string(folder.join(name))?)?) };
    let about = read("benchmark.json")?;
    let nanoseconds = read("estimates.json")?["mean"]["point_estimate"].as_f64();
    let group = about["group_id"].as_str().unwrap_or_default().to_owned();
    let full = about["full_id"].as_str().unwrap_or_default();
    let name = full.strip_prefix(&group).unwrap_or(full).trim_start_matches('/').to_owned();
    let amount = |kind: &str| about["throughput"][kind].as_f64();
    let throughput =
        amount("Elements").map(|it| (it, "elements")).or_else(|| amount("Bytes").map(|it| (it, "bytes")));
    let seconds = nanoseconds.with_context(|| format!("{full} has no mean"))? / 1e9;
    Ok(Measured { group, name, seconds, throughput })
}

fn table(results: &[Measured]) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<&Measured>> = BTreeMap::new();
    for result in results {
        groups.entry(&result.group).or_default().push(result);
    }
    let mut lines = Vec::new();
    for (group, mut members) in groups {
        members.sort_by(|a, b| a.name.cmp(&b.name));
        let peer = members.iter().find(|member| member.name.starts_with("peer"));
        for member in &members {
            let rate = match member.throughput {
                Some((amount, "bytes")) => format!("{:.1} MB/s", amount / member.seconds / 1e6),
                Some((amount, unit)) => format!("{:.2} M {unit}/s", amount / member.seconds / 1e6),
                None => format!("{:.3} ms", member.seconds * 1e3),
            };
            let ratio = match peer {
                Some(peer) if peer.name != member.name => {
                    format!("; ratio {:.2} to {}", speed(member) / speed(peer), peer.name)
                }
                _ => String::new(),
            };
            let name = [group, member.name.as_str()].join("/");
            lines.push(format!("{}: {rate}{ratio}", name.trim_end_matches('/')));
        }
    }
    lines
}

/// How much is done in a second.
fn speed(measured: &Measured) -> f64 {
    measured.throughput.map_or(1.0, |(amount, _)| amount) / measured.seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(name: &str, seconds: f64, elements: f64) -> Measured {
        let (group, name) = ("matching".to_owned(), name.to_owned());
        Measured { group, name, seconds, throughput: Some((elements, "elements")) }
    }

    #[test]
    fn ratios_compare_with_the_peer_of_the_group() {
        let lines = table(&[result("trie", 0.1, 1e6), result("peer_regex_set", 0.5, 1e6)]);
        assert_eq!(
            lines,
            [
                "matching/peer_regex_set: 2.00 M elements/s",
                "matching/trie: 10.00 M elements/s; ratio 5.00 to peer_regex_set"
            ]
        );
    }

    #[test]
    fn without_a_peer_there_is_no_ratio() {
        assert_eq!(table(&[result("trie", 0.1, 1e6)]), ["matching/trie: 10.00 M elements/s"]);
    }
}
