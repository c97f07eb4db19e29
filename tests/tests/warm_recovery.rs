//! After a mass purge, three ways back beside each other: waiting, the suggested warm, and a rolling refresh instead of
//! the purge. Each has a lab of its own, all with the same traffic, and what is compared is the labs' own truth.
#![expect(clippy::print_stdout, reason = "the three ways are printed side by side")]

use std::collections::{BTreeMap, HashSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

use cachescope_lab::ledger::LedgerSnapshot;
use cachescope_lab::namespace::Namespace;
use cachescope_lab::workload::Workload;
use cachescope_lab::{Lab, LabOptions};
use cachescope_tests::programs;
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::process::Command;

const NAMESPACES: usize = 3;
const KEYS: usize = 2_000;
/// Lookups a second of a namespace, and the exponent of Zipf's law for its keys.
const LOOKUPS: f64 = 150.0;
const SKEW: f64 = 0.5;
/// How long keys live.
const TTL_SECONDS: u64 = 45;
/// Within so many points a hit rate counts as back.
const WITHIN: f64 = 0.02;
/// How often a lab is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Over how long the loaders' work is taken.
const LOAD_OVER: Duration = Duration::from_secs(5);
/// What is normal is taken over one life of the keys, after every one of them has run out once.
const NORMAL: Duration = Duration::from_secs(TTL_SECONDS);
/// Longer than any way back takes.
const PATIENCE: Duration = Duration::from_secs(200);
/// How many times as fast the warm has to be, and how much of the loaders' normal work a refresh may come to.
const AS_FAST: f64 = 3.0;
const PEAK: f64 = 1.5;

fn workload() -> Workload {
    let mut workload = Workload::synthetic(0, 0, 1.0);
    *workload.namespaces_mut() = (0..NAMESPACES)
        .map(|number| {
            let label = format!("n{number}");
            Namespace::new(&label, &format!("{label}:{{id}}"))
                .keys(1, KEYS)
                .traffic(LOOKUPS, SKEW)
                .values(200, TTL_SECONDS)
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
            "[[namespace]]\nname = \"n{number}\"\ntitle = \"N{number}\"\ntemplate = \"n{number}:{{id}}\"\n\
             ttl = \"{TTL_SECONDS}s\"\n"
        ));
    }
    let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    file
}

struct Stage {
    lab: Lab,
    redis: MultiplexedConnection,
    /// Keys by namespace, with their share of its lookups.
    popularity: Vec<(String, Vec<(String, f64)>)>,
    state: tempfile::TempDir,
    strategy: tempfile::NamedTempFile,
}

impl Stage {
    async fn set() -> Self {
        let mut options = LabOptions::quiet("synthetic");
        options.workload = Some(workload());
        options.ttl_factor = 1.0;
        options.traffic = true;
        options.warm = true;
        let lab = Lab::start(options).await.expect("a lab");
        let weights: Vec<f64> = (1..=KEYS).map(|rank| (rank as f64).powf(-SKEW)).collect();
        let sum: f64 = weights.iter().sum();
        let of = |namespace: &Namespace| {
            let keys = weights.iter().enumerate();
            let keys = keys.map(|(item, weight)| (namespace.key(0, item, 1), weight / sum)).collect();
            (namespace.label.clone(), keys)
        };
        let popularity = lab.workload().namespaces().iter().map(of).collect();
        let redis = lab.redis().connection().await.expect("it answers");
        Self {
            lab,
            redis,
            popularity,
            state: tempfile::tempdir().expect("a directory"),
            strategy: strategy(),
        }
    }

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
        let preview = self
            .run(&["purge", "preview", "--pattern", "n*", "--beyond-limits", "--watch-between", "1ms"])
            .await;
        let token = preview["token"].as_str().expect("a token").to_owned();
        let run = self.run(&["purge", "run", "--approve", &token]).await;
        run["run"].as_str().expect("a run").to_owned()
    }

    fn url(&self) -> String {
        format!("{}/api/{{namespace}}?{{query}}", self.lab.service_urls()[0])
    }

    /// The share of each namespace's lookups that would find their key now: its hit rate at this moment, of which the
    /// rate over a window is a late and blurred picture.
    async fn hit_rates(&self) -> BTreeMap<String, f64> {
        let mut redis = self.redis.clone();
        let mut rates = BTreeMap::new();
        for (label, keys) in &self.popularity {
            let mut asked = redis::cmd("SCAN");
            asked.arg(0).arg("MATCH").arg(format!("{label}:*")).arg("COUNT").arg(100_000);
            let (_, there): (u64, HashSet<String>) = asked.query_async(&mut redis).await.expect("listed");
            let found = keys.iter().filter(|(key, _)| there.contains(key)).map(|(_, share)| share).sum();
            rates.insert(label.clone(), found);
        }
        rates
    }
}

/// Looks at a lab's loaders as time goes by.
#[derive(Default)]
struct Watch {
    looks: Vec<(Instant, LedgerSnapshot)>,
}

impl Watch {
    async fn look(&mut self, stage: &Stage) {
        tokio::time::sleep(LOOK).await;
        self.looks.push((Instant::now(), stage.lab.ledger_snapshot().await.expect("it answers")));
    }

    async fn look_for(&mut self, stage: &Stage, lasting: Duration) {
        let began = Instant::now();
        while began.elapsed() < lasting {
            self.look(stage).await;
        }
    }

    fn loads_a_second(from: &(Instant, LedgerSnapshot), to: &(Instant, LedgerSnapshot)) -> f64 {
        to.1.since(&from.1).total().loads as f64 / (to.0 - from.0).as_secs_f64()
    }

    /// The most loads a second.
    fn peak(&self) -> f64 {
        let ends = self.looks.iter().filter_map(|from| {
            let to = self.looks.iter().find(|to| to.0 >= from.0 + LOAD_OVER)?;
            Some(Self::loads_a_second(from, to))
        });
        ends.fold(0.0, f64::max)
    }

    fn mean(&self) -> f64 {
        Self::loads_a_second(&self.looks[0], &self.looks[self.looks.len() - 1])
    }
}

/// What is normal: hit rates, loads a second and their peak, after one life of the keys.
async fn normal(stage: &Stage) -> (BTreeMap<String, f64>, f64, f64) {
    tokio::time::sleep(Duration::from_secs(TTL_SECONDS)).await;
    let (mut watch, mut sums, mut looks) = (Watch::default(), BTreeMap::<String, f64>::new(), 0.0);
    let began = Instant::now();
    while began.elapsed() < NORMAL {
        watch.look(stage).await;
        looks += 1.0;
        for (name, rate) in stage.hit_rates().await {
            *sums.entry(name).or_default() += rate;
        }
    }
    sums.values_mut().for_each(|sum| *sum /= looks);
    (sums, watch.mean(), watch.peak())
}

/// How long each namespace takes until its hit rate is back, and the loaders' peak on the way.
async fn way_back(stage: &Stage, before: &BTreeMap<String, f64>) -> (BTreeMap<String, Duration>, f64) {
    let (began, mut watch, mut back) = (Instant::now(), Watch::default(), BTreeMap::new());
    while back.len() < before.len() || began.elapsed() < LOAD_OVER * 2 {
        assert!(began.elapsed() < PATIENCE, "back are only {back:?}");
        watch.look(stage).await;
        for (name, rate) in stage.hit_rates().await {
            if rate >= before[&name] - WITHIN {
                back.entry(name).or_insert_with(|| began.elapsed());
            }
        }
    }
    (back, watch.peak())
}

struct Way {
    before: BTreeMap<String, f64>,
    /// Loads a second before, and the peak of them over the same time as the peak afterwards.
    normal: f64,
    normal_peak: f64,
    back: BTreeMap<String, Duration>,
    peak: f64,
}

impl Way {
    fn peak_of_normal(&self) -> f64 {
        self.peak / self.normal
    }
}

async fn waiting() -> Way {
    let stage = Stage::set().await;
    let (before, normal, normal_peak) = normal(&stage).await;
    stage.purge().await;
    let (back, peak) = way_back(&stage, &before).await;
    Way { before, normal, normal_peak, back, peak }
}

async fn warming() -> Way {
    let stage = Stage::set().await;
    let (before, normal, normal_peak) = normal(&stage).await;
    let (run, url) = (stage.purge().await, stage.url());
    // As fast as the loaders can: their peak is the price.
    let arguments = [
        "warm",
        "run",
        "--unattended",
        "--of-run",
        &run,
        "--url",
        &url,
        "--allow-private",
        "--per-minute",
        "120000",
        "--concurrency",
        "32",
        "--watch-between",
        "1ms",
    ];
    let ((back, peak), _) = tokio::join!(way_back(&stage, &before), stage.run(&arguments));
    Way { before, normal, normal_peak, back, peak }
}

/// Refreshes everything with the limits that the refresh gives itself.
async fn refreshing() -> Way {
    let stage = Stage::set().await;
    let (before, normal, normal_peak) = normal(&stage).await;
    let url = stage.url();
    let began = Instant::now();
    let mut watch = Watch::default();
    let refresh = async {
        let mut removed = 0;
        for (name, _) in &stage.popularity {
            let run = stage
                .run(&[
                    "warm",
                    "run",
                    "--unattended",
                    "--watch-for",
                    "8s",
                    "--refresh",
                    "--namespace",
                    name,
                    "--url",
                    &url,
                    "--allow-private",
                    "--beyond-limits",
                    "--watch-between",
                    "1s",
                ])
                .await;
            removed += run["removed"].as_u64().unwrap_or(0);
        }
        removed
    };
    let removed = tokio::select! {
        removed = refresh => removed,
        () = async { loop { watch.look(&stage).await } } => unreachable!("it looks for ever"),
    };
    assert!(removed as usize > NAMESPACES * KEYS / 2, "{removed} keys were replaced");
    // Its aftermath belongs to it: what was loaded together runs out together.
    watch.look_for(&stage, LOAD_OVER * 2).await;
    println!("the refresh replaced {removed} keys in {:.0} s", began.elapsed().as_secs_f64());
    let back = before.keys().map(|name| (name.clone(), Duration::ZERO)).collect();
    Way { before, normal, normal_peak, back, peak: watch.peak() }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "about five minutes; cargo test -p cachescope-tests --test warm_recovery -- --ignored --nocapture"]
async fn the_suggested_warm_is_three_times_as_fast_as_waiting_and_a_rolling_refresh_spares_the_loaders() {
    let began = Instant::now();
    let (waited, warmed, refreshed) = tokio::join!(waiting(), warming(), refreshing());
    println!("namespace   hit rate   waiting   suggested warm");
    let mut ratios = BTreeMap::new();
    for (name, rate) in &waited.before {
        let (waiting, warming) = (waited.back[name].as_secs_f64(), warmed.back[name].as_secs_f64());
        let ratio = waiting / warming;
        println!(
            "{name:<10}  {:6.1} %   {waiting:5.1} s   {warming:5.1} s, {ratio:.1} times as fast",
            rate * 100.0
        );
        ratios.insert(name.clone(), ratio);
    }
    println!("the loaders' peak over {} s, in times of their normal work:", LOAD_OVER.as_secs());
    for (name, way) in [
        ("plain purge, waiting", &waited),
        ("purge, then the suggested warm", &warmed),
        ("rolling refresh instead of the purge", &refreshed),
    ] {
        let (peak, normal, times) = (way.peak, way.normal, way.peak_of_normal());
        let usual_peak = way.normal_peak;
        println!(
            "{name:<38} {times:5.2} times ({peak:.0} loads a second, normally {normal:.0} with a peak of {usual_peak:.0})"
        );
    }
    println!("{:.0} s in all", began.elapsed().as_secs_f64());
    for (name, ratio) in ratios {
        assert!(ratio >= AS_FAST, "{name}: {ratio:.1} times as fast");
    }
    assert!(waited.peak_of_normal() > 2.0 * PEAK, "a plain purge is a stampede");
    assert!(refreshed.peak_of_normal() <= PEAK, "{:.2} times the normal work", refreshed.peak_of_normal());
}
