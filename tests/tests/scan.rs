//! What a scan says, held against every key of the server.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::command;
use redis::aio::MultiplexedConnection;
use serde_json::Value;

/// Namespaces of different sizes and shapes of values.
const NAMESPACES: u64 = 24;

/// Of them, those that are filled with many keys where a part of the keys is to tell.
const MANY: u64 = 16;

/// The true keys and bytes of a namespace.
#[derive(Clone, Copy, Debug, Default)]
struct Truth {
    keys: u64,
    bytes: u64,
}

/// A strategy with a template a namespace, as a file.
fn strategy() -> Result<tempfile::NamedTempFile> {
    let mut text = String::from("name = \"scan-test\"\ntitle = \"A test of scans\"\n");
    for number in 0..NAMESPACES {
        text.push_str(&format!(
            "\n[[namespace]]\nname = \"n{number}\"\ntitle = \"N{number}\"\ntemplate = \"n{number}:{{id}}\"\n"
        ));
    }
    let file = tempfile::Builder::new().suffix(".toml").tempfile()?;
    std::fs::write(file.path(), text)?;
    Ok(file)
}

/// Fills the server: namespace `n` holds 40 × (n + 1) strings whose lengths differ more the larger n is.
async fn fill(connection: &mut MultiplexedConnection) -> Result<()> {
    for number in 0..NAMESPACES {
        let mut pipeline = redis::pipe();
        for key in 0..40 * (number + 1) {
            // A fixed mixing of the number: reproducible, and neither constant nor in step with the key.
            let mixed = (key + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
            let length = 20 + usize::try_from(mixed % (50 * (number + 1)))?;
            let name = format!("n{number}:key {key}\n");
            pipeline.cmd("SET").arg(name).arg("v".repeat(length)).arg("EX").arg(5_000).ignore();
        }
        let () = pipeline.query_async(connection).await?;
    }
    Ok(())
}

/// Fills the server with so many keys that a part of them tells: namespace `n` holds 1,000 × (n + 1) strings, whose
/// lengths are equal, even over a range, long once in twenty, or spread over orders of magnitude.
async fn fill_with_many(connection: &mut MultiplexedConnection) -> Result<()> {
    for number in 0..MANY {
        let mut pipeline = redis::pipe();
        for key in 0..1_000 * (number + 1) {
            let mixed = (key + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23) >> 11;
            let share = mixed as f64 / (1u64 << 53) as f64;
            let length = match number % 4 {
                0 => 100.0,
                1 => 20.0 + 800.0 * share,
                2 => {
                    if share < 0.05 {
                        3_000.0
                    } else {
                        150.0
                    }
                }
                _ => (60.0 * share.max(1e-4).powf(-0.6)).min(10_000.0),
            };
            pipeline.cmd("SET").arg(format!("n{number}:{key}")).arg("v".repeat(length as usize)).ignore();
        }
        let () = pipeline.query_async(connection).await?;
    }
    Ok(())
}

/// Asks for every key and its bytes, by way of the server's own commands.
async fn truth(connection: &mut MultiplexedConnection) -> Result<BTreeMap<String, Truth>> {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(connection).await?;
    let mut truth: BTreeMap<String, Truth> = BTreeMap::new();
    for key in keys {
        let bytes: u64 = redis::cmd("MEMORY").arg("USAGE").arg(&key).query_async(connection).await?;
        let (namespace, _) = key.split_once(':').context("every key of the test has a namespace")?;
        let entry = truth.entry(format!("{namespace}:{{id}}")).or_default();
        entry.keys += 1;
        entry.bytes += bytes;
    }
    Ok(truth)
}

fn reading<'a>(row: &'a Value, kind: &str) -> &'a Value {
    &row["readings"][kind]
}

/// Runs a scan and gives its documented rows by template.
async fn scan(
    server: &RedisServer,
    file: &tempfile::NamedTempFile,
    how: &[&str],
) -> Result<BTreeMap<String, Value>> {
    let path = file.path().to_string_lossy().into_owned();
    let url = server.url();
    let mut arguments = vec!["scan", "--redis", &url, "--strategy", &path];
    arguments.extend(how);
    let printed = command::json(&arguments).await?;
    let rows = printed["namespaces"].as_array().context("a snapshot has namespaces")?.clone();
    Ok(rows
        .into_iter()
        .filter(|row| row["origin"] == "documented")
        .filter_map(|row| Some((row["namespace"].as_str()?.to_owned(), row)))
        .collect())
}

#[tokio::test]
async fn an_exact_scan_counts_and_weighs_every_key_of_a_quiet_server() -> Result<()> {
    let server = RedisServer::start(RedisOptions::default()).await?;
    let mut connection = server.connection().await?;
    fill(&mut connection).await?;
    let truth = truth(&mut connection).await?;
    assert_eq!(truth.len() as u64, NAMESPACES, "the test must have filled every namespace");
    let rows = scan(&server, &strategy()?, &["--exact"]).await?;
    for (template, truth) in &truth {
        let row = rows.get(template).with_context(|| format!("{template} is missing"))?;
        assert_eq!(reading(row, "keys")["value"].as_f64(), Some(truth.keys as f64), "keys of {template}");
        assert_eq!(
            reading(row, "memory_bytes")["value"].as_f64(),
            Some(truth.bytes as f64),
            "bytes of {template}"
        );
        assert_eq!(reading(row, "memory_bytes")["certainty"], "exact", "{template}");
        assert_eq!(reading(row, "no_ttl_ratio")["value"].as_f64(), Some(0.0), "{template}");
    }
    Ok(())
}

#[tokio::test]
async fn a_sampled_scan_counts_exactly_and_its_intervals_hold_the_true_bytes() -> Result<()> {
    let server = RedisServer::start(RedisOptions::default()).await?;
    let mut connection = server.connection().await?;
    fill(&mut connection).await?;
    let truth = truth(&mut connection).await?;
    let rows = scan(&server, &strategy()?, &[]).await?;
    let mut outside = Vec::new();
    let mut intervals = 0;
    for (template, truth) in &truth {
        let row = rows.get(template).with_context(|| format!("{template} is missing"))?;
        assert_eq!(reading(row, "keys")["value"].as_f64(), Some(truth.keys as f64), "keys of {template}");
        let memory = reading(row, "memory_bytes");
        let (Some(low), Some(high)) = (memory["low"].as_f64(), memory["high"].as_f64()) else { continue };
        intervals += 1;
        if !(low..=high).contains(&(truth.bytes as f64)) {
            outside.push(format!("{template}: {} is not in {low}..{high}", truth.bytes));
        }
    }
    assert!(intervals >= 20, "only {intervals} of {} namespaces have an interval", truth.len());
    // Of 24 intervals of 95 %, more than 4 miss the truth once in 1,500 runs.
    assert!(outside.len() <= 4, "{}", outside.join("\n"));
    Ok(())
}

#[tokio::test]
async fn a_precise_scan_stops_early_and_its_intervals_hold_the_true_bytes() -> Result<()> {
    let mut outside = Vec::new();
    let mut intervals = 0;
    // Each server has its keys in an order of its own: another sample.
    for _ in 0..3 {
        let server = RedisServer::start(RedisOptions::default()).await?;
        fill_with_many(&mut server.connection().await?).await?;
        let truth = scan(&server, &strategy()?, &["--exact", "--unthrottled"]).await?;
        let bytes =
            |row: &Value| reading(row, "memory_bytes")["value"].as_f64().context("bytes have a value");
        let all = truth.values().map(bytes).sum::<Result<f64>>()?;
        let rows = scan(&server, &strategy()?, &["--precision", "2%", "--unthrottled"]).await?;
        let mut partly = 0;
        for (template, row) in &rows {
            let keys = reading(row, "keys");
            partly += u32::from(keys["certainty"] == "estimated");
            let truth = bytes(truth.get(template).with_context(|| format!("{template} is missing"))?)?;
            let memory = reading(row, "memory_bytes");
            let (Some(low), Some(high)) = (memory["low"].as_f64(), memory["high"].as_f64()) else { continue };
            intervals += 1;
            assert!((high - low) / 2.0 <= 0.025 * all, "{template}: {low}..{high} of {all}");
            if !(low..=high).contains(&truth) {
                outside.push(format!("{template}: {truth} is not in {low}..{high}"));
            }
        }
        assert!(u64::from(partly) >= MANY, "only {partly} namespaces were met in part: every key was met");
    }
    assert!(intervals >= 3 * MANY - 3, "only {intervals} namespaces have an interval");
    // Of 48 intervals of 95 %, more than 8 miss the truth once in 1,800 runs; of those of 97 %, once in 87,000.
    assert!(outside.len() <= 8, "{}", outside.join("\n"));
    Ok(())
}
