//! Scans of a million keys beside what else scans a Redis, what other clients feel of one, and the memory one takes.
//!
//! `CACHESCOPE_BENCH_KEYS` sets another number of keys. `CACHESCOPE_BENCH_MANY_KEYS`, such as `10000000`, adds a
//! scan of so many small keys, which takes a gigabyte of memory for each ten million. `CACHESCOPE_BENCH_ONLY`
//! names one part: `speed`, `peers`, `clients`, `memory`.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

mod scanning;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_lab::servers::RedisServer;
use cachescope_tests::{linux, programs};
use scanning::clients::{Clients, p99};
use scanning::{keyspace, peers};
use serde_json::Value;
use tokio::process::Command;

const KEYS: u64 = 1_000_000;
/// Pairs of ours and of a peer's.
const PAIRS: usize = 5;
/// Pairs of a stretch without a scan and one with.
const STRETCHES: usize = 7;
/// How long a stretch is.
const STRETCH: Duration = Duration::from_secs(4);

/// How many times as fast as `redis-cli --memkeys` a scan has to be.
const EXACT_LIMIT: f64 = 3.0;
const PRECISE_LIMIT: f64 = 20.0;
/// How many times as long as without a scan others' p99 may be.
const CLIENTS_LIMIT: f64 = 1.5;
/// Bytes of memory that a scan of ten million keys may take.
const MEMORY_LIMIT: f64 = 64.0 * 1024.0 * 1024.0;

#[tokio::main]
async fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let keys = number("CACHESCOPE_BENCH_KEYS")?.unwrap_or(KEYS);
    let only = std::env::var("CACHESCOPE_BENCH_ONLY").unwrap_or_default();
    let wanted = |part: &str| only.is_empty() || only == part;
    let mut missed = Vec::new();
    if wanted("speed") {
        speed(keys, &mut missed).await?;
    }
    if wanted("peers") || wanted("clients") {
        let server = keyspace::start(keys).await?;
        if wanted("clients") {
            clients(&server, keys, &mut missed).await?;
        }
        if wanted("peers") {
            others(&server).await?;
        }
    }
    if let Some(many) = number("CACHESCOPE_BENCH_MANY_KEYS")?
        && wanted("memory")
    {
        memory(many, &mut missed).await?;
    }
    if !missed.is_empty() {
        bail!("{}", missed.join("; "));
    }
    Ok(())
}

fn number(variable: &str) -> Result<Option<u64>> {
    match std::env::var(variable) {
        Ok(text) => Ok(Some(text.parse().with_context(|| format!("{variable} is not a number"))?)),
        Err(_) => Ok(None),
    }
}

/// The command with these arguments, on its way to be run.
fn scan(mut command: Command, server: &RedisServer, arguments: &[&str]) -> Command {
    command.args(["scan", "--redis", &server.url()]).args(arguments).stdin(Stdio::null());
    command
}

/// Runs a scan to its end; how long that took, and what it printed.
async fn scanned(server: &RedisServer, arguments: &[&str]) -> Result<(Duration, Value)> {
    let begun = Instant::now();
    let output = scan(Command::new(programs::cachescope()?), server, arguments)
        .arg("--json")
        .kill_on_drop(true)
        .output()
        .await?;
    let took = begun.elapsed();
    if !output.status.success() {
        bail!("the scan failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok((took, serde_json::from_slice(&output.stdout)?))
}

/// Bytes by namespace with their interval.
fn bytes(printed: &Value) -> BTreeMap<String, (f64, f64, f64)> {
    let rows = printed["namespaces"].as_array().cloned().unwrap_or_default();
    let of_row = |row: Value| {
        let memory = &row["readings"]["memory_bytes"];
        let value = memory["value"].as_f64()?;
        let or_value = |end: &Value| end.as_f64().unwrap_or(value);
        let interval = (value, or_value(&memory["low"]), or_value(&memory["high"]));
        Some((row["namespace"].as_str()?.to_owned(), interval))
    };
    rows.into_iter().filter_map(of_row).collect()
}

/// `redis-cli --memkeys`, ours exact and ours to 2 %, again and again: each time on a server of its own, since a walk
/// meets the keys of a server in the same order whenever it begins.
async fn speed(keys: u64, missed: &mut Vec<String>) -> Result<()> {
    let (mut exact, mut precise) = (Vec::new(), Vec::new());
    let (mut inside, mut intervals, mut unmet, mut widest) = (0, 0, 0, 0.0f64);
    for _ in 0..PAIRS {
        let server = &keyspace::start(keys).await?;
        let theirs = peers::memkeys(server.port()).await?;
        let (whole, truth) = scanned(server, &["--exact", "--unthrottled"]).await?;
        let (part, estimate) = scanned(server, &["--precision", "2%", "--unthrottled"]).await?;
        eprintln!("memkeys {theirs:.2?}, exact {whole:.2?}, to 2 % {part:.3?}");
        exact.push((theirs, whole));
        precise.push((theirs, part));
        let (truth, estimate) = (bytes(&truth), bytes(&estimate));
        let all: f64 = truth.values().map(|(value, ..)| value).sum();
        for (name, (value, ..)) in &truth {
            let Some((_, low, high)) = estimate.get(name) else {
                eprintln!("{name} with {value} bytes was not met");
                unmet += 1;
                continue;
            };
            intervals += 1;
            let holds = low <= value && value <= high;
            inside += u32::from(holds);
            widest = widest.max((high - low) / 2.0 / all);
            if !holds {
                eprintln!("{name}: {value} is not in {low:.0}..{high:.0}");
            }
        }
    }
    let exact = compared("scan/exact", "redis-cli --memkeys", &exact);
    if exact < EXACT_LIMIT {
        missed.push(format!("exact: {exact:.1} times as fast as redis-cli, {EXACT_LIMIT} wanted"));
    }
    let precise = compared("scan/to 2 %", "redis-cli --memkeys", &precise);
    if precise < PRECISE_LIMIT {
        missed.push(format!("to 2 %: {precise:.1} times as fast as redis-cli, {PRECISE_LIMIT} wanted"));
    }
    println!(
        "scan/to 2 %: {inside} of {intervals} intervals hold the true bytes; ratio {:.3}; the widest is {:.1} % \
         of all bytes to each side; {unmet} namespaces of a handful of keys were not met",
        f64::from(inside) / f64::from(intervals.max(1)),
        widest * 100.0
    );
    Ok(())
}

/// Prints how long a peer takes and how long ours; the median of their ratios.
fn compared(what: &str, peer: &str, pairs: &[(Duration, Duration)]) -> f64 {
    let ratios = sorted(pairs.iter().map(|(theirs, ours)| theirs.as_secs_f64() / ours.as_secs_f64()));
    let theirs = sorted(pairs.iter().map(|(theirs, _)| theirs.as_secs_f64()));
    let ours = sorted(pairs.iter().map(|(_, ours)| ours.as_secs_f64()));
    println!(
        "{what}: {:.2} s, {peer} {:.2} s; ratio {:.2} ({:.2} to {:.2} in {} pairs)",
        ours[ours.len() / 2],
        theirs[theirs.len() / 2],
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
        pairs.len()
    );
    ratios[ratios.len() / 2]
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The analyser and the exporter, once each: they take long.
async fn others(server: &RedisServer) -> Result<()> {
    let arguments = ["--exact", "--unthrottled"];
    match peers::key_groups(&server.url()).await {
        Ok(theirs) => {
            let (ours, _) = scanned(server, &arguments).await?;
            compared("scan/exact", "prometheus-redis-exporter -check-key-groups", &[(theirs, ours)]);
        }
        Err(error) => println!("scan/exact: not compared with prometheus-redis-exporter: {error:#}"),
    }
    let compare_with_rma = async {
        let rma = peers::Rma::install().await?;
        let theirs = rma.run(server.port()).await?;
        let (ours, _) = scanned(server, &arguments).await?;
        compared("scan/exact", "rma of the strings alone", &[(theirs, ours)]);
        anyhow::Ok(())
    };
    if let Err(error) = compare_with_rma.await {
        println!("scan/exact: not compared with rma: {error:#}");
    }
    Ok(())
}

/// How long lookups of others take without a scan, with one at the default pace, and with the same one on another
/// server: what a program that computes as much costs them on this machine, whatever it asks of their server.
async fn clients(server: &RedisServer, keys: u64, missed: &mut Vec<String>) -> Result<()> {
    let elsewhere = keyspace::start(keys).await?;
    let stretch = async || {
        let clients = Clients::start(server.port())?;
        tokio::time::sleep(STRETCH).await;
        p99(&clients.end()?)
    };
    let beside = async |scanned: &RedisServer| {
        let program = linux::on_a_machine_of_its_own(&programs::cachescope()?).into();
        let mut scan =
            scan(program, scanned, &["--exact"]).stdout(Stdio::null()).kill_on_drop(true).spawn()?;
        // It begins slowly; what is measured is its full pace.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let p99 = stretch().await?;
        if scan.try_wait()?.is_some() {
            bail!("the scan ended before what others feel of it was measured: there are too few keys");
        }
        scan.kill().await?;
        Ok(p99)
    };
    let mut turns = Vec::new();
    for _ in 0..STRETCHES {
        let (without, with, apart) = (stretch().await?, beside(server).await?, beside(&elsewhere).await?);
        eprintln!(
            "p99 of others {without:.0?}, {with:.0?} with a scan, {apart:.0?} with one of another server"
        );
        turns.push([without, with, apart].map(|p99| p99.as_secs_f64()));
    }
    let median = |of: &dyn Fn(&[f64; 3]) -> f64| {
        let values = sorted(turns.iter().map(of));
        (values[values.len() / 2], values[0], values[values.len() - 1])
    };
    // What a scan of another server costs them is this machine's, not the server's.
    let floor = median(&|turn| turn[2] / turn[0]).0;
    for (place, what) in [(1, "at the default pace"), (2, "while another server is scanned")] {
        let (ratio, least, most) = median(&|turn| turn[place] / turn[0]);
        println!(
            "scan/p99 of other clients {what}: {:.0} µs, {:.0} µs without a scan; ratio {ratio:.2} ({least:.2} to \
             {most:.2} in {STRETCHES} turns)",
            median(&|turn| turn[place]).0 * 1e6,
            median(&|turn| turn[0]).0 * 1e6,
        );
        if place == 1 && ratio > CLIENTS_LIMIT.max(floor) {
            missed.push(format!("other clients' p99 is {ratio:.2} times as long, {CLIENTS_LIMIT} allowed"));
        }
    }
    Ok(())
}

/// The most memory that a scan of many keys takes.
async fn memory(keys: u64, missed: &mut Vec<String>) -> Result<()> {
    let server = keyspace::start_many(keys).await?;
    let begun = Instant::now();
    let mut command = scan(Command::new(programs::cachescope()?), &server, &["--exact", "--unthrottled"]);
    let mut scan = command.stdout(Stdio::null()).kill_on_drop(true).spawn()?;
    let id = scan.id().context("the scan has ended already")?;
    let mut most = 0;
    let status = loop {
        if let Some(status) = scan.try_wait()? {
            break status;
        }
        most = most.max(cachescope_tests::linux::peak_memory(id).unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    if !status.success() {
        bail!("the scan of {keys} keys failed: {status}");
    }
    println!(
        "scan/memory of ours with {keys} keys: {:.1} MB after {:.0} s; ratio {:.3} to the limit of {:.0} MB",
        most as f64 / 1e6,
        begun.elapsed().as_secs_f64(),
        most as f64 / MEMORY_LIMIT,
        MEMORY_LIMIT / 1e6
    );
    if most as f64 > MEMORY_LIMIT {
        missed.push(format!("a scan of {keys} keys took {:.0} MB", most as f64 / 1e6));
    }
    Ok(())
}
