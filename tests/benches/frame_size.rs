//! How large frames are with 5,000 namespaces, documented and discovered, and with 100 deployments; and how
//! long it takes to make a snapshot and a page of the table.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

mod many;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_app::session::Session;
use cachescope_app::wire::{DeploymentDraft, Frame, InstanceFrame, Reply, Request, RowPage, RowQuery, View};
use cachescope_app::{App, Host, deployments};
use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::window::Window;
use cachescope_tests::waiting::{wait_at_most, wait_for};
use many::Many;

/// How many namespaces are live.
const NAMESPACES: usize = 5_000;

/// What a live frame must stay below, in bytes of JSON.
const LIMIT: usize = 8_192;

/// How long frames are collected.
const COLLECT: Duration = Duration::from_secs(30);

/// How often what takes time is measured; the median counts.
const ROUNDS: usize = 9;

/// Deployments of the overview.
const DEPLOYMENTS: usize = 100;

/// How many namespaces are discovered at most without a strategy; the others are one row.
const DISCOVERED: u32 = 500;

struct Shell(PathBuf);

impl Host for Shell {
    fn version(&self) -> String {
        "bench".to_owned()
    }

    fn state_directory(&self) -> PathBuf {
        self.0.clone()
    }

    fn companion(&self) -> Option<PathBuf> {
        None
    }

    fn uses_keychain(&self) -> bool {
        false
    }
}

/// What a window was pushed.
#[derive(Default)]
struct Pushed {
    frames: usize,
    largest: usize,
    instance: Option<InstanceFrame>,
    /// Rows of the overview, and the most frames that one took.
    rows: usize,
    parts: usize,
    parts_now: usize,
}

impl Pushed {
    fn take(&mut self, frame: Frame) {
        self.frames += 1;
        self.largest = self.largest.max(serde_json::to_vec(&frame).map_or(usize::MAX, |json| json.len()));
        match frame {
            Frame::Instance(instance) => self.instance = Some(*instance),
            Frame::Overview(part) => {
                self.parts_now = if part.offset == 0 { 1 } else { self.parts_now + 1 };
                self.parts = self.parts.max(self.parts_now);
                self.rows = part.offset as usize + part.rows.len();
            }
            Frame::DeploymentsChanged | Frame::Open { .. } => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let state = tempfile::tempdir()?;
    let app = App::start(Shell(state.path().to_owned())).await;
    let many = Many::start(NAMESPACES).await?;
    let strategy = many.strategy_file()?.display().to_string();

    let mut largest = 0;
    let documented = watched(&app, &many, "documented", &strategy).await?;
    largest = largest.max(deployment_frames(&app, &documented, NAMESPACES as u32 + 1).await?);
    snapshots(&documented).await?;
    pages(&app, &documented.deployment().id).await?;
    documented.stop().await;

    let discovered = watched(&app, &many, "discovered", "").await?;
    largest = largest.max(deployment_frames(&app, &discovered, DISCOVERED).await?);
    discovered.stop().await;

    largest = largest.max(overview_frames(&app).await?);
    app.stop().await;
    many.lab.shutdown().await;
    if largest >= LIMIT {
        bail!("a frame had {largest} bytes; it must stay below {LIMIT}");
    }
    Ok(())
}

async fn begin(app: &App, draft: DeploymentDraft) -> Result<Arc<Session>> {
    let (deployment, secrets) = deployments::from_draft(&draft)?;
    Ok(app.watch_deployment(deployments::plan(deployment, secrets).await))
}

async fn watched(app: &App, many: &Many, name: &str, strategy: &str) -> Result<Arc<Session>> {
    let draft = DeploymentDraft {
        name: name.to_owned(),
        environment: Some(Environment::Development),
        redis_url: many.lab.redis_url(),
        metrics_urls: many.lab.metrics_urls(),
        strategy: strategy.to_owned(),
        ..DeploymentDraft::default()
    };
    let begun = Instant::now();
    let session = begin(app, draft).await?;
    let documented = session.strategy().namespaces.len();
    eprintln!("{name}: {documented} namespaces documented, read in {:.0?}", begun.elapsed());
    if !strategy.is_empty() && documented < NAMESPACES {
        bail!("{strategy} was not taken: {}", session.connection(&[]).detail);
    }
    Ok(session)
}

fn told_size(name: &str, bytes: usize) {
    println!("{name}: {bytes} bytes; ratio {:.3} to the limit of {LIMIT}", bytes as f64 / LIMIT as f64);
}

/// Looks at one deployment until it has at least so many live namespaces and then for [`COLLECT`].
async fn deployment_frames(app: &App, session: &Session, namespaces: u32) -> Result<usize> {
    let view = View::Deployment { deployment: session.deployment().id.clone(), window: Window::OneMinute };
    let pushed = Arc::new(Mutex::new(Pushed::default()));
    let watch = app.watch(view, {
        let pushed = Arc::clone(&pushed);
        move |frame| {
            pushed.lock().expect("nobody panics while holding it").take(frame);
            true
        }
    });
    wait_at_most(Duration::from_secs(120), "every namespace is live", async || {
        let pushed = pushed.lock().expect("nobody panics while holding it");
        let frame = pushed.instance.as_ref().context("no frame has come")?;
        let rate = frame.readings.get(&ReadingKind::HitRate).and_then(|reading| reading.value);
        if frame.namespace_count < namespaces || rate.is_none() {
            bail!("{} namespaces, hit rate {rate:?}, {:?}", frame.namespace_count, frame.detail);
        }
        Ok(Some(()))
    })
    .await?;
    tokio::time::sleep(COLLECT).await;
    drop(watch);
    let pushed = pushed.lock().expect("nobody panics while holding it");
    let name = &session.deployment().name;
    let last = pushed.instance.as_ref().context("no frame has come")?;
    eprintln!("{name}: {} frames, {} namespaces", pushed.frames, last.namespace_count);
    if pushed.frames < COLLECT.as_secs() as usize {
        bail!("only {} frames came in {} s", pushed.frames, COLLECT.as_secs());
    }
    told_size(&format!("frame_size/{name}"), pushed.largest);
    Ok(pushed.largest)
}

/// The overview of many deployments, none of which can be reached: every row has a sentence.
async fn overview_frames(app: &App) -> Result<usize> {
    // Bound and let go: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    for number in 0..DEPLOYMENTS {
        let draft = DeploymentDraft {
            name: format!("checkout-cache-eu-central-{number:03}"),
            redis_url: format!("redis://viewer@127.0.0.1:{port}"),
            ..DeploymentDraft::default()
        };
        begin(app, draft).await?;
    }
    let pushed = Arc::new(Mutex::new(Pushed::default()));
    let watch = app.watch(View::Overview { window: Window::OneMinute }, {
        let pushed = Arc::clone(&pushed);
        move |frame| {
            pushed.lock().expect("nobody panics while holding it").take(frame);
            true
        }
    });
    wait_for("some overviews have come", async || {
        let pushed = pushed.lock().expect("nobody panics while holding it");
        Ok((pushed.frames >= 10 * pushed.parts && pushed.rows >= DEPLOYMENTS).then_some(()))
    })
    .await?;
    drop(watch);
    let pushed = pushed.lock().expect("nobody panics while holding it");
    eprintln!("overview: {} rows in {} frames", pushed.rows, pushed.parts);
    told_size(&format!("frame_size/overview of {DEPLOYMENTS}"), pushed.largest);
    Ok(pushed.largest)
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations[durations.len() / 2]
}

/// Compared with the second in which one is due.
fn told_time(name: &str, took: Duration) {
    println!("{name}: {:.2} ms; ratio {:.4} to a second", took.as_secs_f64() * 1e3, took.as_secs_f64());
}

/// A window that nobody looks at is computed anew after every tick.
async fn snapshots(session: &Session) -> Result<()> {
    let mut ticks = session.ticks();
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        ticks.changed().await?;
        let begun = Instant::now();
        let snapshot = session.snapshot(Window::FifteenMinutes);
        took.push(begun.elapsed());
        if snapshot.namespaces.len() < NAMESPACES {
            bail!("a snapshot has only {} namespaces", snapshot.namespaces.len());
        }
    }
    told_time("frame_size/snapshot of 5000 namespaces", median(took));
    Ok(())
}

async fn page(app: &App, deployment: &DeploymentId) -> Result<RowPage> {
    let query = RowQuery {
        deployment: deployment.clone(),
        window: Window::OneMinute,
        filter: String::new(),
        sort: Default::default(),
        descending: true,
        offset: 0,
        limit: 60,
        sparks: true,
        pinned: Vec::new(),
    };
    match app.handle(Request::Rows { query }).await? {
        Reply::Rows(page) => Ok(page),
        _ => bail!("another reply than asked for"),
    }
}

/// What the window asks for every second: sixty rows of five thousand, sorted by trouble, with spark lines.
async fn pages(app: &App, deployment: &DeploymentId) -> Result<()> {
    let mut took = Vec::new();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        // Once to have the snapshot that pushing has made already where a window is open.
        page(app, deployment).await?;
        let begun = Instant::now();
        let page = page(app, deployment).await?;
        let json = serde_json::to_vec(&page)?;
        took.push(begun.elapsed());
        bytes = bytes.max(json.len());
    }
    told_time("frame_size/page of 60 rows with sparks", median(took));
    println!(
        "frame_size/page of 60 rows with sparks: {bytes} bytes; ratio {:.2} to 60 kB",
        bytes as f64 / 6e4
    );
    Ok(())
}
