//! Hit rates without the application's metrics, held against what really happened.

use std::time::Duration;

use anyhow::{Result, bail};
use cachescope_lab::{Lab, LabOptions};
use cachescope_tests::command;
use cachescope_tests::figures::Figures;
use cachescope_tests::waiting::wait_for;

/// How long traffic flows.
const TRAFFIC_FOR: Duration = Duration::from_secs(35);

/// How long the command watches: until everything is attached, the traffic, and until the last of it is counted.
const WATCH_FOR: &str = "58s";

/// From the first burst until the first reading of INFO from which lookups are divided.
const SETTLED_AFTER: Duration = Duration::from_secs(4);

/// How far a hit rate may be off where a namespace has a hundredth of the lookups or more.
const WITHIN: f64 = 0.01;

/// How many of the eight namespaces may be outside of their 95 % intervals: three or more are, by chance alone, in one
/// run of 170 (binomial). That 95 in 100 hold is shown where thousands are compared, by `sampled_shapes`.
const MAY_BE_OUTSIDE: usize = 2;

/// How many of the server's clients listen to misses, or did lately; the lab's own is one of them.
async fn clients(lab: &Lab) -> Result<usize> {
    let mut connection = lab.redis().connection().await?;
    let list: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut connection).await?;
    Ok(list.lines().filter(|line| !line.contains(" sub=0 psub=0") || line.contains("cmd=wait")).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn hit_rates_without_the_applications_metrics_are_the_ledgers() -> Result<()> {
    let options =
        LabOptions { traffic: false, prometheus: false, rate_factor: 2.0, ..LabOptions::new("booking") };
    let lab = Lab::start(options).await?;
    let (before_us, url) = (clients(&lab).await?, lab.redis_url());
    let words = [
        "snapshot",
        "--redis",
        &url,
        "--strategy",
        lab.strategy(),
        "--sources",
        "info,events,commands",
        "--watch-for",
        WATCH_FOR,
    ]
    .map(str::to_owned);
    let watching = tokio::spawn(async move {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        command::json(&words).await.map(Figures::new)
    });
    wait_for("the command listens to events and samples commands", async || {
        if watching.is_finished() {
            bail!("the command has ended");
        }
        Ok((clients(&lab).await? >= before_us + 2).then_some(()))
    })
    .await?;

    tokio::time::sleep(SETTLED_AFTER).await;

    let before = lab.ledger_snapshot().await?;
    lab.traffic().resume();
    tokio::time::sleep(TRAFFIC_FOR).await;
    lab.traffic().pause().await;
    let after = lab.ledger_snapshot().await?;
    let figures = watching.await??;

    let seen = figures.namespaces()?;
    let all: u64 =
        after.namespaces.iter().map(|(name, it)| it.since(&before.namespaces[name]).lookups()).sum();
    let (mut compared, mut inside, mut wrong) = (0, 0, Vec::new());
    for (template, counts) in &after.namespaces {
        let truth = counts.since(&before.namespaces[template]);
        let Some(hit_rate) = truth.hit_rate() else { continue };
        let Some(row) = seen.get(template) else {
            wrong.push(format!("{template}: no row"));
            continue;
        };
        compared += 1;
        let said = row.interval("hit_rate");
        let line = format!("{template}: {said:?}, the ledger has {hit_rate:.4} of {}", truth.lookups());
        match said {
            Some([low, value, high]) => {
                let holds = low - 1e-6 <= hit_rate && hit_rate <= high + 1e-6;
                inside += usize::from(holds);
                if truth.lookups() * 100 >= all && (value - hit_rate).abs() > WITHIN {
                    wrong.push(line);
                } else if !holds {
                    wrong.push(format!("outside its interval: {line}"));
                }
            }
            None => wrong.push(line),
        }
    }
    let report = format!("{}\ncommands: {}", wrong.join("\n"), figures.source("commands"));
    assert!(compared >= 6, "only {compared} namespaces had lookups; {report}");
    assert!(inside + MAY_BE_OUTSIDE >= compared, "{inside} of {compared} inside; {report}");
    assert!(!wrong.iter().any(|line| !line.starts_with("outside")), "{report}");
    lab.shutdown().await;
    Ok(())
}
