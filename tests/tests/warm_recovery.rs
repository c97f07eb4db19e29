//! After a mass purge, three ways back beside each other: waiting, the suggested warm, and a rolling refresh instead of
//! the purge. What is compared is the lab's own truth.
#![expect(clippy::print_stdout, reason = "the three ways are printed side by side")]

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use cachescope_lab::ledger::LedgerSnapshot;
use cachescope_lab::namespace::Namespace;
use cachescope_lab::workload::Workload;
use cachescope_lab::{Lab, LabOptions};
use cachescope_tests::programs;
use serde_json::Value;
use tokio::process::Command;

const NAMESPACES: usize = 3;
const KEYS: usize = 1_000;
/// Within so many points a hit rate counts as back.
const WITHIN: f64 = 0.02;
/// How often the lab is looked at, and over how many looks a hit rate is taken.
const LOOK: Duration = Duration::from_millis(500);
const WINDOW: usize = 8;
/// A loader's load is taken over this many looks.
const LOAD_WINDOW: usize = 6;
/// Longer than any way back takes.
const PATIENCE: Duration = Duration::from_secs(240);
/// How many times as fast the warm has to be, and how much of the loaders' normal load a refresh may come to.
const AS_FAST: f64 = 3.0;
const PEAK: f64 = 1.5;

fn workload() -> Workload {
    let mut workload = Workload::synthetic(0, 0, 1.0);
    *workload.namespaces_mut() = (0..NAMESPACES)
        .map(|number| {
            let label = format!("n{number}");
            Namespace::new(&label, &format!("{label}:{{id}}"))
                .keys(1, KEYS)
                .traffic(120.0, 0.8)
                .values(200, 120)
                .costs(2)
                .prefilled(KEYS)
        })
        .collect();
    workload
}

fn strategy() -> tempfile::NamedTempFile {
    let mut text = "name = \"recovery\"\ntitle = \"Recovery\"\n".to_owned();
    for number in 0..NAMESPACES {
        text.push_str(&format!(
            "[[namespace]]\nname = \"n{number}\"\ntitle = \"N{number}\"\ntemplate = \"n{number}:{{id}}\"\nttl = \"2m\"\n"
        ));
    }
    let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    file
}

struct Stage {
    lab: Lab,
    state: tempfile::TempDir,
    strategy: tempfile::NamedTempFile,
}

impl Stage {
    async fn run(&self, arguments: &[&str]) -> Value {
        let (url, strategy) = (self.lab.redis_url(), self.strategy.path().to_string_lossy().into_owned());
        let mut command = Command::new(programs::cachescope().expect("it is built"));
        command
            .args(arguments)
            .args(["--json", "--environment", "development"])
            .env("CACHESCOPE_STATE_DIR", self.state.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if !arguments.contains(&"--approve") {
            command.args(["--redis", &url, "--strategy", &strategy]);
        }
        let output = command.output().await.expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Purges everything; gives the run.
    async fn purge(&self) -> String {
        let preview = self.run(&["purge", "preview", "--pattern", "n*", "--beyond-limits"]).await;
        let token = preview["token"].as_str().expect("a token").to_owned();
        let run = self.run(&["purge", "run", "--approve", &token]).await;
        run["run"].as_str().expect("a run").to_owned()
    }

    async fn look(&self) -> LedgerSnapshot {
        self.lab.ledger_snapshot().await.expect("it answers")
    }
}

/// Looks at the lab as time goes by.
#[derive(Default)]
struct Watch {
    looks: Vec<(Instant, LedgerSnapshot)>,
}

impl Watch {
    async fn look(&mut self, stage: &Stage) {
        tokio::time::sleep(LOOK).await;
        self.looks.push((Instant::now(), stage.look().await));
    }

    /// Hit rates over the last window, by namespace.
    fn hit_rates(&self) -> BTreeMap<String, f64> {
        let Some(from) = self.looks.len().checked_sub(WINDOW + 1) else { return BTreeMap::new() };
        let (before, now) = (&self.looks[from].1, &self.looks[self.looks.len() - 1].1);
        let since = now.since(before);
        since
            .namespaces
            .iter()
            .filter_map(|(name, counts)| Some((name.clone(), counts.hit_rate()?)))
            .collect()
    }

    /// The most loads a second, over a few looks.
    fn peak(&self) -> f64 {
        self.looks
            .windows(LOAD_WINDOW + 1)
            .map(|looks| {
                let (first, last) = (&looks[0], &looks[LOAD_WINDOW]);
                last.1.since(&first.1).total().loads as f64 / (last.0 - first.0).as_secs_f64()
            })
            .fold(0.0, f64::max)
    }

    fn mean(&self) -> f64 {
        let (first, last) = (&self.looks[0], &self.looks[self.looks.len() - 1]);
        last.1.since(&first.1).total().loads as f64 / (last.0 - first.0).as_secs_f64()
    }
}

/// How long each namespace takes until its hit rate is back, and the loaders' peak on the way.
async fn way_back(stage: &Stage, before: &BTreeMap<String, f64>) -> (BTreeMap<String, Duration>, f64) {
    let (began, mut watch, mut back) = (Instant::now(), Watch::default(), BTreeMap::new());
    while back.len() < before.len() {
        assert!(began.elapsed() < PATIENCE, "back are only {back:?}");
        watch.look(stage).await;
        for (name, rate) in watch.hit_rates() {
            let was = before.get(&name).copied().unwrap_or(0.0);
            if rate >= was - WITHIN {
                back.entry(name).or_insert_with(|| began.elapsed());
            }
        }
    }
    (back, watch.peak())
}

async fn calm(stage: &Stage, lasting: Duration) -> Watch {
    let (began, mut watch) = (Instant::now(), Watch::default());
    while began.elapsed() < lasting {
        watch.look(stage).await;
    }
    watch
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "about ten minutes; cargo test -p cachescope-tests --test warm_recovery -- --ignored --nocapture"]
async fn the_suggested_warm_is_three_times_as_fast_as_waiting_and_a_rolling_refresh_spares_the_loaders() {
    let mut options = LabOptions::quiet("synthetic");
    options.workload = Some(workload());
    options.ttl_factor = 1.0;
    options.traffic = true;
    options.warm = true;
    let stage = Stage {
        lab: Lab::start(options).await.expect("a lab"),
        state: tempfile::tempdir().expect("a directory"),
        strategy: strategy(),
    };
    // One life of the keys, so that they run out as they do in the long run.
    calm(&stage, Duration::from_secs(130)).await;
    let normal = calm(&stage, Duration::from_secs(30)).await;
    let before: BTreeMap<String, f64> = {
        let (first, last) = (&normal.looks[0].1, &normal.looks[normal.looks.len() - 1].1);
        let since = last.since(first).namespaces;
        since
            .into_iter()
            .filter_map(|(name, counts)| Some((name, counts.hit_rate()?)))
            .filter(|(name, _)| name.starts_with('n'))
            .collect()
    };
    assert_eq!(before.len(), NAMESPACES, "{before:?}");
    let load = normal.mean();

    stage.purge().await;
    let (waiting, stampede) = way_back(&stage, &before).await;
    calm(&stage, Duration::from_secs(130)).await;

    let run = stage.purge().await;
    let base = stage.lab.service_urls()[0].clone();
    let url = format!("{base}/api/{{namespace}}?{{query}}");
    let fill = [
        "warm",
        "run",
        "--unattended",
        "--of-run",
        &run,
        "--url",
        &url,
        "--allow-private",
        "--per-minute",
        "60000",
        "--concurrency",
        "32",
    ];
    let warming = stage.run(&fill);
    let ((warmed, warm_peak), _) = tokio::join!(way_back(&stage, &before), warming);
    calm(&stage, Duration::from_secs(130)).await;

    let per_minute = (load * 0.3 * 60.0).ceil().to_string();
    let mut watch = Watch::default();
    let refreshing = async {
        for number in 0..NAMESPACES {
            let name = format!("n{number}");
            let run = stage
                .run(&[
                    "warm",
                    "run",
                    "--unattended",
                    "--refresh",
                    "--namespace",
                    &name,
                    "--url",
                    &url,
                    "--allow-private",
                    "--per-minute",
                    &per_minute,
                    "--concurrency",
                    "2",
                    "--beyond-limits",
                ])
                .await;
            assert!(run["removed"].as_u64().is_some_and(|removed| removed > KEYS as u64 / 3), "{run}");
        }
    };
    {
        let mut refreshing = std::pin::pin!(refreshing);
        loop {
            tokio::select! {
                () = &mut refreshing => break,
                () = watch.look(&stage) => {}
            }
        }
    }
    let rolling = watch.peak();
    println!("loads a second normally {load:.0}");
    println!("namespace  before   waiting   suggested warm");
    for (name, rate) in &before {
        println!(
            "{name:<10} {:5.1} %  {:5.1} s   {:5.1} s, {:.1} times as fast",
            rate * 100.0,
            waiting[name].as_secs_f64(),
            warmed[name].as_secs_f64(),
            waiting[name].as_secs_f64() / warmed[name].as_secs_f64()
        );
    }
    println!(
        "peak of the loaders: plain purge {:.1}, purge and warm {:.1}, rolling refresh {:.2} times the normal load",
        stampede / load,
        warm_peak / load,
        rolling / load
    );
    for name in before.keys() {
        let ratio = waiting[name].as_secs_f64() / warmed[name].as_secs_f64();
        assert!(ratio >= AS_FAST, "{name}: {ratio:.1} times as fast");
    }
    assert!(
        rolling <= PEAK * load && stampede > PEAK * load,
        "{rolling:.0} of {load:.0}, stampede {stampede:.0}"
    );
}
