//! The same on workloads of many shapes and rates, made here so that the truth is what the server answered.
//!
//! `cargo test -p cachescope-tests --test sampled_shapes -- --ignored --nocapture` prints a table; it takes more
//! than ten minutes. `RATES=100000 SHAPES=skewed,flat` chooses.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::command;
use cachescope_tests::figures::Figures;
use cachescope_tests::waiting::wait_for;

/// Keys that are there, a namespace.
const KEYS: u64 = 500;
/// Connections that send, each with a thread of its own.
const SENDERS: u64 = 4;
/// At high rates as many commands go in one pipeline as keep the round trips of a sender at this many a second.
const ROUND_TRIPS: f64 = 500.0;
const TRAFFIC_FOR: Duration = Duration::from_secs(45);
const WATCH_FOR: &str = "65s";

/// How lookups are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Get,
    /// So many of one namespace in one MGET.
    MultiGet(u64),
    /// GET within a script.
    Script,
    HashGet,
}

/// A workload: namespaces by share of the lookups and hit rate.
struct Shape {
    name: &'static str,
    namespaces: Vec<(f64, f64)>,
    way: Way,
    /// Commands in one pipeline; all of one namespace where `runs`.
    pipeline: u64,
    runs: bool,
    /// Whether the rate goes up and down.
    waves: bool,
    /// Whether others publish meanwhile.
    noise: bool,
}

impl Shape {
    fn new(name: &'static str, namespaces: Vec<(f64, f64)>) -> Self {
        Self { name, namespaces, way: Way::Get, pipeline: 20, runs: false, waves: false, noise: false }
    }
}

fn shapes() -> Vec<Shape> {
    let rates = [0.97, 0.6, 0.9, 0.35, 0.8, 0.99, 0.5, 0.75];
    let skewed: Vec<_> = (0..15).map(|rank| (1.0 / f64::from(rank + 1), rates[rank as usize % 8])).collect();
    let flat: Vec<_> = (0..20).map(|rank| (1.0, rates[rank % 8])).collect();
    let tiny = vec![(60.0, 0.98), (30.0, 0.95), (8.0, 0.9), (1.2, 0.4), (0.5, 0.3), (0.2, 0.1)];
    vec![
        Shape::new("skewed", skewed.clone()),
        Shape::new("flat", flat.clone()),
        Shape::new("tiny but terrible", tiny),
        Shape { waves: true, ..Shape::new("bursts", skewed.clone()) },
        Shape { runs: true, pipeline: 50, ..Shape::new("pipelines", flat.clone()) },
        Shape { way: Way::MultiGet(10), pipeline: 4, ..Shape::new("multi-gets", flat.clone()) },
        Shape { way: Way::Script, ..Shape::new("scripts", skewed.clone()) },
        Shape { way: Way::HashGet, ..Shape::new("hashes", skewed.clone()) },
        Shape { noise: true, ..Shape::new("publish noise", skewed) },
    ]
}

/// Hits and misses by namespace, as the server answered.
type Truth = Arc<Vec<[AtomicU64; 2]>>;

/// A small generator of uniform numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn namespace(&mut self, shape: &Shape, total: f64) -> usize {
        let mut left = self.uniform() * total;
        shape
            .namespaces
            .iter()
            .position(|(share, _)| {
                left -= share;
                left < 0.0
            })
            .unwrap_or(0)
    }

    fn key(&mut self, shape: &Shape, namespace: usize) -> String {
        let hit = self.uniform() < shape.namespaces[namespace].1;
        let id = if hit { self.next() % KEYS } else { 1_000_000 + self.next() % 1_000_000 };
        format!("ns{namespace:02}:{id}")
    }
}

async fn fill(server: &RedisServer, shape: &Shape) -> Result<()> {
    let mut connection = server.connection().await?;
    for namespace in 0..shape.namespaces.len() {
        let mut pipe = redis::pipe();
        for id in 0..KEYS {
            let key = format!("ns{namespace:02}:{id}");
            match shape.way {
                Way::HashGet => pipe.cmd("HSET").arg(key).arg("field").arg("value").ignore(),
                _ => pipe.cmd("SET").arg(key).arg("value").ignore(),
            };
        }
        pipe.query_async::<()>(&mut connection).await?;
    }
    Ok(())
}

/// A connection that is written to and read from with as little work as possible: the machine has more to do.
struct Sender {
    requests: TcpStream,
    replies: BufReader<TcpStream>,
    bytes: Vec<u8>,
    line: Vec<u8>,
}

impl Sender {
    fn connect(port: u16) -> Result<Self> {
        let requests = TcpStream::connect(("127.0.0.1", port))?;
        requests.set_nodelay(true)?;
        requests.set_read_timeout(Some(Duration::from_secs(60)))?;
        let replies = BufReader::with_capacity(64 * 1024, requests.try_clone()?);
        Ok(Self { requests, replies, bytes: Vec::new(), line: Vec::new() })
    }

    fn command(&mut self, words: &[&str]) {
        self.bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            self.bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
    }

    /// The next reply's head.
    fn head(&mut self) -> Result<(u8, i64)> {
        self.line.clear();
        self.replies.read_until(b'\n', &mut self.line)?;
        let text = std::str::from_utf8(&self.line)?.trim_end();
        let (kind, rest) = text.split_at_checked(1).context("the server closed the connection")?;
        match kind {
            "$" | "*" | ":" => Ok((kind.as_bytes()[0], rest.parse()?)),
            _ => bail!("a lookup was answered with {text}"),
        }
    }

    /// Whether the next reply is no value.
    fn missed(&mut self) -> Result<bool> {
        let (_, length) = self.head()?;
        if length >= 0 {
            self.line.clear();
            self.replies.read_until(b'\n', &mut self.line)?;
        }
        Ok(length < 0)
    }
}

/// One sender: pipelines at its share of the rate until the time is up.
fn send(port: u16, shape: &Shape, per_second: f64, truth: &Truth, seed: u64) -> Result<()> {
    let mut sender = Sender::connect(port)?;
    let mut random = Random(seed);
    let total: f64 = shape.namespaces.iter().map(|(share, _)| share).sum();
    let keys = if let Way::MultiGet(keys) = shape.way { keys } else { 1 };
    let pipeline = if shape.runs {
        shape.pipeline
    } else {
        shape.pipeline.max((per_second / keys as f64 / ROUND_TRIPS) as u64)
    };
    let (began, mut sent) = (Instant::now(), 0.0);
    while began.elapsed() < TRAFFIC_FOR {
        let mut asked = Vec::new();
        let mut namespace = random.namespace(shape, total);
        for _ in 0..pipeline {
            if !shape.runs {
                namespace = random.namespace(shape, total);
            }
            let keys: Vec<_> = (0..keys).map(|_| random.key(shape, namespace)).collect();
            let mut words: Vec<&str> = match shape.way {
                Way::Get => vec!["GET"],
                Way::MultiGet(_) => vec!["MGET"],
                Way::Script => vec!["EVAL", "return redis.call('GET', KEYS[1])", "1"],
                Way::HashGet => vec!["HGET"],
            };
            words.extend(keys.iter().map(String::as_str));
            if shape.way == Way::HashGet {
                words.push("field");
            }
            sender.command(&words);
            asked.push(namespace);
            sent += keys.len() as f64;
        }
        if shape.noise {
            sender.command(&["PUBLISH", "news", "nothing"]);
        }
        sender.requests.write_all(&sender.bytes)?;
        sender.bytes.clear();
        for namespace in asked {
            let answers = if let Way::MultiGet(_) = shape.way { sender.head()?.1 } else { 1 };
            for _ in 0..answers {
                let missed = usize::from(sender.missed()?);
                truth[namespace][missed].fetch_add(1, Ordering::Relaxed);
            }
        }
        if shape.noise {
            sender.head()?;
        }
        let factor = if shape.waves { 1.0 + 0.7 * (began.elapsed().as_secs_f64() * 1.7).sin() } else { 1.0 };
        let pause = sent / (per_second * factor) - began.elapsed().as_secs_f64();
        if shape.waves {
            // A rate of its own at each moment: the pause of this pipeline alone.
            let of_pipeline = sent / (per_second * factor);
            sent = 0.0;
            std::thread::sleep(Duration::from_secs_f64(of_pipeline));
        } else if pause > 0.0 {
            std::thread::sleep(Duration::from_secs_f64(pause));
        }
    }
    Ok(())
}

/// What one run showed.
#[derive(Debug, Default)]
struct Score {
    per_second: f64,
    namespaces: usize,
    inside: usize,
    large: usize,
    near: usize,
    worst: f64,
    width: f64,
    lines: Vec<String>,
}

async fn run(shape: Shape, per_second: f64) -> Result<Score> {
    let options = RedisOptions { notify_keyspace_events: Some("Emxe".to_owned()), ..RedisOptions::default() };
    let server = Arc::new(RedisServer::start(options).await?);
    fill(&server, &shape).await?;
    let url = server.url();
    let watching = tokio::spawn(async move {
        let words =
            ["snapshot", "--redis", &url, "--sources", "info,events,commands", "--watch-for", WATCH_FOR];
        command::json(&words).await.map(Figures::new)
    });
    let mut asking = server.connection().await?;
    wait_for("the command samples", async || {
        if watching.is_finished() {
            bail!("the command has ended");
        }
        let list: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut asking).await?;
        let busy =
            list.lines().filter(|line| !line.contains(" sub=0 psub=0") || line.contains("cmd=wait")).count();
        Ok((busy >= 2).then_some(()))
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let truth: Truth = Arc::new(shape.namespaces.iter().map(|_| Default::default()).collect());
    let shape = Arc::new(shape);
    let senders: Vec<_> = (0..SENDERS)
        .map(|number| {
            let (port, shape, truth) = (server.port(), shape.clone(), truth.clone());
            let rate = per_second / SENDERS as f64;
            tokio::task::spawn_blocking(move || send(port, &shape, rate, &truth, number * 7919 + 1))
        })
        .collect();
    for sender in senders {
        sender.await??;
    }
    let figures = watching.await??;
    let seen = figures.namespaces()?;
    let counts: Vec<[f64; 2]> = truth
        .iter()
        .map(|[hits, misses]| [hits, misses].map(|count| count.load(Ordering::Relaxed) as f64))
        .collect();
    let all: f64 = counts.iter().flatten().sum();
    let mut score = Score { per_second: all / TRAFFIC_FOR.as_secs_f64(), ..Score::default() };
    for (number, [hits, misses]) in
        counts.iter().enumerate().filter(|(_, [hits, misses])| hits + misses > 0.0)
    {
        let rate = hits / (hits + misses);
        let row = seen.get(&format!("ns{number:02}:{{id}}")).context("a namespace has no row")?;
        score.namespaces += 1;
        let Some([low, value, high]) = row.interval("hit_rate") else {
            score.lines.push(format!("ns{number:02}: no figure, the truth is {rate:.4}"));
            continue;
        };
        let inside = low - 1e-9 <= rate && rate <= high + 1e-9;
        score.inside += usize::from(inside);
        if hits + misses >= 0.01 * all {
            score.large += 1;
            score.near += usize::from((value - rate).abs() <= 0.01);
            score.worst = score.worst.max((value - rate).abs());
            score.width += high - low;
        }
        if !inside {
            score.lines.push(format!("ns{number:02}: {low:.4} {value:.4} {high:.4}, the truth is {rate:.4}"));
        }
    }
    Ok(score)
}

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "more than ten minutes; run by hand for its table"]
async fn hit_rates_on_many_shapes_and_rates() -> Result<()> {
    let wanted = std::env::var("SHAPES").unwrap_or_default();
    let rates = std::env::var("RATES").unwrap_or_else(|_| "500,5000,20000".to_owned());
    let rates: Vec<f64> = rates.split(',').map(str::parse).collect::<Result<_, _>>()?;
    println!("shape              lookups/s  inside   >=1 %: within 1 point  worst  mean width (points)");
    let (mut namespaces, mut inside) = (0, 0);
    for per_second in rates {
        for shape in shapes().into_iter().filter(|shape| wanted.is_empty() || wanted.contains(shape.name)) {
            let name = shape.name;
            let score = run(shape, per_second).await?;
            println!(
                "{name:18} {:>9.0}  {:>2} of {:>2}  {:>9} of {:>2}  {:12.2}  {:10.2}  {}",
                score.per_second,
                score.inside,
                score.namespaces,
                score.near,
                score.large,
                100.0 * score.worst,
                100.0 * score.width / score.large.max(1) as f64,
                score.lines.join("; ")
            );
            namespaces += score.namespaces;
            inside += score.inside;
        }
    }
    println!("{inside} of {namespaces} inside");
    assert!(inside as f64 >= 0.93 * namespaces as f64, "{inside} of {namespaces} inside");
    Ok(())
}
