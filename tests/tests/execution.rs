//! Execution times: the model's error against a complete slow log, where namespaces hold values of very different
//! sizes and are read with the same command.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::command;
use redis::Value;
use tokio::sync::watch;

const KEYS: usize = 50;
/// Bytes of a value by namespace.
const SIZES: [(&str, usize); 2] = [("large", 200_000), ("small", 100)];
const WATCH_FOR: &str = "20s";
const KINDS: [&str; 4] =
    ["execution_p50_seconds", "execution_p95_seconds", "execution_p99_seconds", "execution_mean_seconds"];

/// Reads small values twenty times as often as large ones, until told to stop.
async fn read_on(server: &RedisServer, stop: watch::Receiver<bool>) -> Result<()> {
    let mut connection = server.connection().await?;
    for round in 0usize.. {
        if *stop.borrow() {
            break;
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(format!("large:{}", round % KEYS)).ignore();
        for small in 0..20 {
            pipeline.cmd("GET").arg(format!("small:{}", (round + small) % KEYS)).ignore();
        }
        pipeline.exec_async(&mut connection).await?;
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    Ok(())
}

/// Microseconds of every GET by namespace, ascending, from the slow log.
async fn slow_log(server: &RedisServer) -> Result<BTreeMap<String, Vec<f64>>> {
    let mut connection = server.connection().await?;
    let entries: Vec<Value> = redis::cmd("SLOWLOG").arg("GET").arg(-1).query_async(&mut connection).await?;
    let mut times: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for entry in &entries {
        let Value::Array(fields) = entry else { continue };
        let (Some(Value::Int(micros)), Some(Value::Array(words))) = (fields.get(2), fields.get(3)) else {
            continue;
        };
        let words: Vec<String> =
            words.iter().filter_map(|word| redis::from_redis_value(word.clone()).ok()).collect();
        if let [name, key] = words.as_slice()
            && name == "GET"
            && let Some((namespace, _)) = key.split_once(':')
        {
            times.entry(namespace.to_owned()).or_default().push(*micros as f64);
        }
    }
    for times in times.values_mut() {
        times.sort_by(f64::total_cmp);
    }
    Ok(times)
}

fn truth(times: &[f64], kind: &str) -> f64 {
    let at =
        |quantile: f64| times[((times.len() as f64 * quantile).ceil() as usize).clamp(1, times.len()) - 1];
    let micros = match kind {
        "execution_p50_seconds" => at(0.5),
        "execution_p95_seconds" => at(0.95),
        "execution_p99_seconds" => at(0.99),
        _ => times.iter().sum::<f64>() / times.len() as f64,
    };
    micros / 1e6
}

/// Prints the errors with `--nocapture`; `docs/latency.md` quotes them.
#[tokio::test(flavor = "multi_thread")]
async fn modelled_execution_times_say_that_they_are_and_take_all_namespaces_for_alike() -> Result<()> {
    let config = [("slowlog-log-slower-than", "0"), ("slowlog-max-len", "2000000")];
    let config = config.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = RedisServer::start(RedisOptions { config, ..Default::default() }).await?;
    let mut connection = server.connection().await?;
    for (namespace, size) in SIZES {
        for key in 0..KEYS {
            let value = "x".repeat(size);
            redis::cmd("SET")
                .arg(format!("{namespace}:{key}"))
                .arg(value)
                .exec_async(&mut connection)
                .await?;
        }
    }
    redis::cmd("SLOWLOG").arg("RESET").exec_async(&mut connection).await?;
    let (stop, stopped) = watch::channel(false);
    let url = server.url();
    let watching = async move {
        command::json(&["snapshot", "--redis", &url, "--sources", "info,commands", "--watch-for", WATCH_FOR])
            .await
    };
    let both = async {
        let printed = watching.await;
        stop.send_replace(true);
        printed
    };
    let (printed, read) = tokio::join!(both, read_on(&server, stopped));
    read?;
    let printed = printed?;
    let truths = slow_log(&server).await?;
    let rows = printed["namespaces"].as_array().context("rows")?;
    for (namespace, _) in SIZES {
        let times = truths.get(namespace).context("the slow log holds its reads")?;
        let row = rows
            .iter()
            .find(|row| row["namespace"].as_str().is_some_and(|template| template.starts_with(namespace)))
            .with_context(|| format!("{namespace} is found"))?;
        for kind in KINDS {
            let reading = &row["readings"][kind];
            assert_eq!(reading["certainty"], "modelled", "{namespace} {kind}: {reading}");
            let words = reading["reason"].as_str().unwrap_or_default();
            assert!(words.contains("its GETs take as long as those of all keys"), "{words}");
            let (told, true_value) = (reading["value"].as_f64().context("a value")?, truth(times, kind));
            eprintln!(
                "{namespace:>6} {kind:<24} modelled {:>7.1} µs, true {:>7.1} µs, {:>+6.0} %  ({} reads)",
                told * 1e6,
                true_value * 1e6,
                (told / true_value - 1.0) * 100.0,
                times.len()
            );
        }
    }
    for kind in &KINDS[..3] {
        let reading = &printed["instance"][kind];
        assert_eq!(reading["certainty"], "estimated", "{reading}");
        let ends = [&reading["low"], &reading["value"], &reading["high"]].map(serde_json::Value::as_f64);
        assert!(ends[0] <= ends[1] && ends[1] <= ends[2] && ends[2].is_some(), "{reading}");
        let mut all: Vec<f64> = truths.values().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        eprintln!(" all    {kind:<24} {ends:?}, true {:.1} µs", truth(&all, kind) * 1e6);
    }
    Ok(())
}
