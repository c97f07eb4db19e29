//! What watching costs a saturated server: redis-benchmark with and without the `cachescope` command beside it, in
//! pairs, one after the other in one run.
//!
//! Throughput is what a user loses. On a machine with few cores it also shows what the load generator loses to us, so
//! the verdict rests on what a saturated server can't lose elsewhere: the time of its main thread a command.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the results are what this program is for")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::programs;
use cachescope_tests::waiting::wait_for;
use redis::aio::MultiplexedConnection;
use tokio::process::{Child, Command};

/// Keys that are asked for, and how many of them are there: a hit rate of 90 %.
const KEYS: u64 = 1_000_000;
const FILLED: u64 = 900_000;
/// How long the load lasts before anything is measured, and from a change until it is measured.
const WARM_UP: Duration = Duration::from_secs(1);
const SETTLED: Duration = Duration::from_millis(200);
/// The same for a sample of the commands, which first measures what it costs here, and for events, of which misses are
/// let go where the server has no CPU to spare.
const LONG_SETTLED: Duration = Duration::from_secs(5);
/// How long a turn is measured. Short, because the speed of shared machines drifts: a pair lies close together.
const MEASURED: Duration = Duration::from_millis(700);

/// What keyspace events need.
const FLAGS: &str = "Emxe";

/// One way of being watched.
struct Watched {
    name: &'static str,
    flags: &'static str,
    /// For `--sources`; nobody watches where it is empty.
    sources: &'static str,
    /// The part of the throughput that has to be left.
    limit: Option<f64>,
}

const NOBODY: Watched = Watched { name: "nobody watches", flags: "", sources: "", limit: None };

/// Scans are apart: they come once a minute, not all the time.
const WAYS: [Watched; 5] = [
    Watched { name: "events announced, nobody listens", flags: FLAGS, sources: "", limit: None },
    Watched { name: "info", flags: "", sources: "info", limit: None },
    Watched { name: "info,events,probe", flags: FLAGS, sources: "info,events,probe", limit: Some(0.97) },
    Watched {
        name: "info,events,probe,commands",
        flags: FLAGS,
        sources: "info,events,probe,commands",
        limit: Some(0.96),
    },
    Watched { name: "info,scan while it scans", flags: "", sources: "info,scan", limit: None },
];

/// What one run showed.
#[derive(Clone, Copy, Debug)]
struct Run {
    per_second: f64,
    /// Seconds of the server's main thread a command.
    cpu: f64,
    /// The part of a core that the server took.
    busy: f64,
    hit_rate: f64,
}

impl Run {
    /// Both taken together.
    fn and(self, other: Self) -> Self {
        let mean = |of: fn(&Self) -> f64| f64::midpoint(of(&self), of(&other));
        Self {
            per_second: mean(|run| run.per_second),
            cpu: mean(|run| run.cpu),
            busy: mean(|run| run.busy),
            hit_rate: mean(|run| run.hit_rate),
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let rounds: usize =
        std::env::var("CACHESCOPE_BENCH_ROUNDS").ok().map_or(Ok(12), |rounds| rounds.parse())?;
    let server = RedisServer::start(RedisOptions::default()).await?;
    let pinned = pin(server.pid().context("it runs")?);
    eprintln!("server and load {}pinned to cores of their own", if pinned { "" } else { "not " });
    let mut connection = server.connection().await?;
    fill(&mut connection).await?;
    let mut missed = Vec::new();
    for pipeline in [16, 1] {
        let mut pairs: Vec<Vec<[Run; 2]>> = WAYS.iter().map(|_| Vec::new()).collect();
        let mut load = load(&server, pipeline, pinned)?;
        tokio::time::sleep(WARM_UP).await;
        let mut before = measure(&server, &mut connection, &NOBODY, pinned).await?;
        for _ in 0..rounds {
            for (way, pairs) in WAYS.iter().zip(&mut pairs) {
                let with = measure(&server, &mut connection, way, pinned).await?;
                let after = measure(&server, &mut connection, &NOBODY, pinned).await?;
                pairs.push([before.and(after), with]);
                before = after;
            }
        }
        load.kill().await?;
        for (way, pairs) in WAYS.iter().zip(&pairs) {
            missed.extend(tell(way, pipeline, pairs));
        }
    }
    if !missed.is_empty() {
        bail!("costs more than it may: {}", missed.join("; "));
    }
    Ok(())
}

/// Prints a line; `Some` where the limit is missed.
fn tell(way: &Watched, pipeline: u32, pairs: &[[Run; 2]]) -> Option<String> {
    let left = sorted(pairs.iter().map(|[without, with]| without.cpu / with.cpu).collect());
    let of = |value: fn(&[Run; 2]) -> f64| median(&sorted(pairs.iter().map(value).collect()));
    let name = format!("cost/-P {pipeline}, {}", way.name);
    let part = median(&left);
    print!(
        "{name}: {part:.3} of the commands are left (median of {} pairs, half of them {:.3} to {:.3}); {:.3} µs of the \
         server a command, {:.3} without; throughput {:.3} of {:.0} thousand/s at {:.0} % of a core, hit rate {:.1} %",
        left.len(),
        left[left.len() / 4],
        left[left.len() - 1 - left.len() / 4],
        of(|[_, with]| with.cpu) * 1e6,
        of(|[without, _]| without.cpu) * 1e6,
        of(|[without, with]| with.per_second / without.per_second),
        of(|[without, _]| without.per_second) / 1e3,
        of(|[without, _]| without.busy) * 100.0,
        of(|[_, with]| with.hit_rate) * 100.0,
    );
    match way.limit {
        Some(limit) => println!("; ratio {:.3} to the limit of {limit}", part / limit),
        None => println!(),
    }
    way.limit.filter(|limit| part < *limit).map(|limit| format!("{name}: {part:.3} of {limit}"))
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    } else {
        sorted[middle]
    }
}

/// The server on the first core; the load and we share the second. `false`: there is no second, or no `taskset`.
fn pin(server: u32) -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut command = std::process::Command::new("taskset");
    command.args(["-a", "-c", "-p", "0", &server.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    cores >= 2 && command.status().is_ok_and(|status| status.success())
}

/// A program away from the server's core.
fn beside(program: impl AsRef<std::ffi::OsStr>, pinned: bool) -> Command {
    if !pinned {
        return Command::new(program);
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut command = Command::new("taskset");
    command.args(["-c", &format!("1-{}", cores - 1)]).arg(program);
    command
}

/// As redis-benchmark writes its keys.
async fn fill(connection: &mut MultiplexedConnection) -> Result<()> {
    let keys: Vec<u64> = (0..FILLED).collect();
    for some in keys.chunks(10_000) {
        let mut pipe = redis::pipe();
        for key in some {
            pipe.cmd("SET").arg(format!("key:{key:012}")).arg("value of twenty bytes").ignore();
        }
        pipe.query_async::<()>(connection).await?;
    }
    Ok(())
}

/// redis-benchmark, until it is ended.
fn load(server: &RedisServer, pipeline: u32, pinned: bool) -> Result<Child> {
    beside("redis-benchmark", pinned)
        .args(["-p", &server.port().to_string(), "-P", &pipeline.to_string(), "-r", &KEYS.to_string()])
        .args(["-q", "-n", "2000000000", "GET", "key:__rand_int__"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("redis-benchmark could not be started: `cargo xtask setup` installs it")
}

async fn measure(
    server: &RedisServer,
    connection: &mut MultiplexedConnection,
    way: &Watched,
    pinned: bool,
) -> Result<Run> {
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("notify-keyspace-events")
        .arg(way.flags)
        .exec_async(connection)
        .await?;
    let state = tempfile::tempdir()?;
    let mut observer = None;
    if !way.sources.is_empty() {
        let observing = beside(programs::cachescope()?, pinned)
            .args(["watch", "--json", "--environment", "development", "--sources", way.sources])
            .args(["--redis", &server.url()])
            .env("CACHESCOPE_STATE_DIR", state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        observer = Some(observing);
        wait_for("the command is attached", async || {
            let list: String = redis::cmd("CLIENT").arg("LIST").query_async(connection).await?;
            let ours = || list.lines().filter(|line| line.contains(" name=cachescope"));
            let listens = !way.sources.contains("events") || ours().any(|line| !line.contains(" sub=0 "));
            Ok((ours().next().is_some() && listens).then_some(()))
        })
        .await?;
    }
    let slow = ["commands", "events"].iter().any(|source| way.sources.contains(source));
    let settled = if slow { LONG_SETTLED } else { SETTLED };
    tokio::time::sleep(settled).await;
    let (from, begun) = (Counters::read(connection).await?, Instant::now());
    tokio::time::sleep(MEASURED).await;
    let (to, seconds) = (Counters::read(connection).await?, begun.elapsed().as_secs_f64());
    if let Some(mut observer) = observer {
        observer.kill().await?;
    }
    let [lookups, hits] = [to.hits + to.misses - from.hits - from.misses, to.hits - from.hits];
    if lookups <= 0.0 {
        bail!("redis-benchmark sent nothing");
    }
    let cpu = to.cpu - from.cpu;
    Ok(Run {
        per_second: lookups / seconds,
        cpu: cpu / lookups,
        busy: cpu / seconds,
        hit_rate: hits / lookups,
    })
}

/// The server's own counters.
struct Counters {
    hits: f64,
    misses: f64,
    /// Seconds of its main thread; of all threads before Redis 7.0.
    cpu: f64,
}

impl Counters {
    async fn read(connection: &mut MultiplexedConnection) -> Result<Self> {
        let info: String = redis::cmd("INFO").arg("everything").query_async(connection).await?;
        let find = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse::<f64>().ok())
        };
        let cpu = |kind: &str| {
            find(&format!("used_cpu_{kind}_main_thread"))
                .or_else(|| find(&format!("used_cpu_{kind}")))
                .with_context(|| format!("INFO tells no used_cpu_{kind}"))
        };
        Ok(Self {
            hits: find("keyspace_hits").context("INFO tells no hits")?,
            misses: find("keyspace_misses").context("INFO tells no misses")?,
            cpu: cpu("user")? + cpu("sys")?,
        })
    }
}
