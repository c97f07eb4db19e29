//! What Cachescope changes on a server is as before afterwards, however it ended.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use cachescope_app::wire::{DeploymentDraft, Reply, Request, SourcePrice, WireErrorCode};
use cachescope_app::{App, Host};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_model::source::SourceId;
use cachescope_store::Store;
use cachescope_tests::programs;
use cachescope_tests::waiting::wait_for;
use redis::aio::MultiplexedConnection;
use tokio::process::{Child, Command};

const EVENTS: &str = "notify-keyspace-events";
const THRESHOLD: &str = "slowlog-log-slower-than";
const LENGTH: &str = "slowlog-max-len";

/// A server whose operator has settings of their own, and a state directory.
struct Bench {
    server: RedisServer,
    connection: MultiplexedConnection,
    state: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Result<Self> {
        Self::with(RedisOptions::default()).await
    }

    async fn with(mut options: RedisOptions) -> Result<Self> {
        options.config.push((THRESHOLD.to_owned(), "7000".to_owned()));
        options.notify_keyspace_events = Some("Kg".to_owned());
        let server = RedisServer::start(options).await?;
        let connection = server.connection().await?;
        Ok(Self { server, connection, state: tempfile::tempdir()? })
    }

    async fn get(&mut self, setting: &str) -> Result<String> {
        let (_, value): (String, String) =
            redis::cmd("CONFIG").arg("GET").arg(setting).query_async(&mut self.connection).await?;
        let mut flags: Vec<char> = value.chars().collect();
        if setting == EVENTS {
            flags.sort_unstable();
        }
        Ok(flags.into_iter().collect())
    }

    async fn set(&mut self, setting: &str, value: &str) -> Result<()> {
        let command = redis::cmd("CONFIG").arg("SET").arg(setting).arg(value).clone();
        Ok(command.exec_async(&mut self.connection).await?)
    }

    async fn until(&mut self, setting: &str, wanted: &str) -> Result<()> {
        wait_for(&format!("{setting} is {wanted:?}"), async || {
            Ok((self.get(setting).await? == wanted).then_some(()))
        })
        .await
    }

    async fn slow_log_length(&mut self) -> Result<u64> {
        Ok(redis::cmd("SLOWLOG").arg("LEN").query_async(&mut self.connection).await?)
    }

    /// No record is open any more: everything that was changed was put back.
    async fn settled(&self) -> Result<()> {
        let store = Store::open(self.state.path())?;
        wait_for("every change is settled", async || Ok(store.open_changes().await?.is_empty().then_some(())))
            .await
    }

    /// `cachescope …`, running.
    fn start(&self, arguments: &[&str]) -> Result<Child> {
        self.start_at(&self.server.url(), arguments)
    }

    fn start_at(&self, url: &str, arguments: &[&str]) -> Result<Child> {
        Ok(Command::new(programs::cachescope()?)
            .args(arguments)
            .args(["--redis", url])
            .env("CACHESCOPE_STATE_DIR", self.state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?)
    }

    /// `cachescope …`, to its end: exit status, output and errors.
    async fn run(&self, arguments: &[&str]) -> Result<(i32, String, String)> {
        self.run_at(&self.server.url(), arguments).await
    }

    async fn run_at(&self, url: &str, arguments: &[&str]) -> Result<(i32, String, String)> {
        let output = self.start_at(url, arguments)?.wait_with_output().await?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok((output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr)))
    }

    async fn app(&self) -> Result<(App, DeploymentId)> {
        let app =
            App::start(TestHost { directory: self.state.path().to_owned(), keeper: programs::cachescope()? })
                .await;
        let draft = DeploymentDraft {
            name: "cache".to_owned(),
            environment: Some(Environment::Production),
            redis_url: self.server.address(),
            ..DeploymentDraft::default()
        };
        let Reply::SaveDeployment(id) = app.handle(Request::SaveDeployment { draft }).await? else {
            bail!("saving was answered with something else");
        };
        Ok((app, id))
    }
}

struct TestHost {
    directory: PathBuf,
    keeper: PathBuf,
}

impl Host for TestHost {
    fn version(&self) -> String {
        "0.0.0-test".to_owned()
    }

    fn state_directory(&self) -> PathBuf {
        self.directory.clone()
    }

    fn companion(&self) -> Option<PathBuf> {
        None
    }

    fn keeper(&self) -> Option<PathBuf> {
        Some(self.keeper.clone())
    }

    fn uses_keychain(&self) -> bool {
        false
    }
}

async fn preview(app: &App, id: &DeploymentId, source: SourceId) -> Result<(SourcePrice, String)> {
    let request = Request::PreviewSource { deployment: id.clone(), source };
    let Reply::PreviewSource(price) = app.handle(request).await? else { bail!("another answer") };
    let token = price.approval.clone().context("it has to be approved")?.token;
    Ok((price, token))
}

async fn enable(app: &App, id: &DeploymentId, token: &str) -> Result<(), WireErrorCode> {
    let request = Request::EnableEvents { deployment: id.clone(), approval: token.to_owned() };
    app.handle(request).await.map(drop).map_err(|error| error.code)
}

/// Processes whose command line holds the keeper's argument and that are children of `parent`.
fn keepers_of(parent: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let read = |file: &str| std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join(file));
        let (Ok(stat), Ok(line)) = (read("stat"), read("cmdline")) else { continue };
        let of_parent = stat
            .rsplit_once(')')
            .and_then(|(_, after)| after.split_whitespace().nth(1)?.parse::<u32>().ok())
            .is_some_and(|its| its == parent);
        if of_parent && line.contains("keep-settings") {
            found.push(id);
        }
    }
    Ok(found)
}

fn kill(id: u32, signal: &str) -> Result<()> {
    let status = std::process::Command::new("kill").args([signal, &id.to_string()]).status()?;
    anyhow::ensure!(status.success(), "kill {signal} {id} failed");
    Ok(())
}

const WATCH: [&str; 6] = ["watch", "--environment", "development", "--sources", "info,slowlog", "--json"];

#[tokio::test]
async fn after_kill_9_of_the_command_the_slow_log_and_its_settings_are_as_before() -> Result<()> {
    let mut bench = Bench::new().await?;
    let mut child = bench.start(&WATCH)?;
    bench.until(THRESHOLD, "0").await?;
    assert_eq!(bench.get(LENGTH).await?, "1024");
    child.start_kill()?;
    child.wait().await?;
    bench.until(THRESHOLD, "7000").await?;
    bench.until(LENGTH, "128").await?;
    assert_eq!(bench.slow_log_length().await?, 0, "what was sampled does not stay in the slow log");
    bench.settled().await
}

#[tokio::test]
async fn after_an_orderly_end_of_the_command_everything_is_as_before_and_what_was_done_was_said() -> Result<()>
{
    let mut bench = Bench::new().await?;
    let (status, _, said) = bench
        .run(&[
            "snapshot",
            "--environment",
            "development",
            "--sources",
            "info,slowlog",
            "--watch-for",
            "1s",
            "--json",
        ])
        .await?;
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("CONFIG SET slowlog-log-slower-than 0"), "{said}");
    assert!(said.contains("CONFIG SET slowlog-log-slower-than 7000"), "how it is put back: {said}");
    for (setting, value) in [(THRESHOLD, "7000"), (LENGTH, "128"), (EVENTS, "Kg")] {
        assert_eq!(bench.get(setting).await?, value, "{setting}");
    }
    bench.settled().await
}

#[tokio::test]
async fn a_keeper_that_is_killed_is_replaced_and_the_new_one_puts_back() -> Result<()> {
    let mut bench = Bench::new().await?;
    let mut child = bench.start(&WATCH)?;
    bench.until(THRESHOLD, "0").await?;
    let parent = child.id().context("it runs")?;
    let first = keepers_of(parent)?;
    assert_eq!(first.len(), 1);
    kill(first[0], "-KILL")?;
    wait_for("another keeper stands", async || {
        Ok(keepers_of(parent)?.iter().any(|id| *id != first[0]).then_some(()))
    })
    .await?;
    // It is told what to hold right after it stands; a kill before that would leave the record to the next start.
    wait_for("it holds", async || Ok((keepers_of(parent)?.len() == 1).then_some(()))).await?;
    assert_eq!(bench.get(THRESHOLD).await?, "0", "we live: nothing is put back yet");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    child.start_kill()?;
    child.wait().await?;
    bench.until(THRESHOLD, "7000").await?;
    bench.settled().await
}

#[tokio::test]
async fn where_both_processes_died_the_next_start_puts_back() -> Result<()> {
    let mut bench = Bench::new().await?;
    let mut child = bench.start(&WATCH)?;
    bench.until(THRESHOLD, "0").await?;
    let parent = child.id().context("it runs")?;
    let keepers = keepers_of(parent)?;
    kill(parent, "-STOP")?; // so that it can't start another keeper
    for keeper in keepers {
        kill(keeper, "-KILL")?;
    }
    kill(parent, "-KILL")?;
    child.wait().await?;
    assert_eq!(bench.get(THRESHOLD).await?, "0", "nobody is left to put it back");
    let (app, _id) = bench.app().await?;
    bench.until(THRESHOLD, "7000").await?;
    bench.until(LENGTH, "128").await?;
    app.stop().await;
    bench.settled().await
}

#[tokio::test]
async fn an_operators_own_change_meanwhile_survives_our_kill() -> Result<()> {
    let mut bench = Bench::new().await?;
    let mut child = bench.start(&WATCH)?;
    bench.until(THRESHOLD, "0").await?;
    bench.set(THRESHOLD, "555").await?;
    child.start_kill()?;
    child.wait().await?;
    bench.until(LENGTH, "128").await?;
    bench.settled().await?;
    assert_eq!(bench.get(THRESHOLD).await?, "555");
    Ok(())
}

#[tokio::test]
async fn nothing_is_written_without_an_approval_of_just_that() -> Result<()> {
    let mut bench = Bench::new().await?;
    let (app, id) = bench.app().await?;
    assert_eq!(enable(&app, &id, "").await, Err(WireErrorCode::NotApproved));
    assert_eq!(enable(&app, &id, "0123456789abcdef0123456789abcdef").await, Err(WireErrorCode::NotApproved));
    let (_, of_slow_log) = preview(&app, &id, SourceId::SlowLog).await?;
    assert_eq!(enable(&app, &id, &of_slow_log).await, Err(WireErrorCode::NotApproved), "for something else");
    let (_, outdated) = preview(&app, &id, SourceId::Events).await?;
    bench.set(EVENTS, "Kx").await?;
    assert_eq!(enable(&app, &id, &outdated).await, Err(WireErrorCode::NotApproved), "not as it was shown");
    assert_eq!(bench.get(EVENTS).await?, "Kx");
    let (_, void) = preview(&app, &id, SourceId::Events).await?;
    bench.server.restart().await?;
    bench.connection = bench.server.connection().await?;
    assert_eq!(enable(&app, &id, &void).await, Err(WireErrorCode::NotApproved), "the server was restarted");
    assert_eq!(bench.get(EVENTS).await?, "Kg");
    assert_eq!(bench.get(THRESHOLD).await?, "7000");
    app.stop().await;
    bench.settled().await
}

#[tokio::test]
async fn events_are_enabled_as_shown_and_put_back_on_restoring_switching_off_and_stopping() -> Result<()> {
    let mut bench = Bench::new().await?;
    let (app, id) = bench.app().await?;
    for end in ["restore", "switch off", "stop"] {
        let (price, token) = preview(&app, &id, SourceId::Events).await?;
        assert_eq!(price.commands.len(), 1);
        assert!(price.commands[0].starts_with("CONFIG SET notify-keyspace-events "), "{price:?}");
        assert_eq!(bench.get(EVENTS).await?, "Kg", "a preview writes nothing");
        assert_eq!(enable(&app, &id, &token).await, Ok(()));
        assert_eq!(bench.get(EVENTS).await?, "EKegmnx", "merged");
        assert_eq!(enable(&app, &id, &token).await, Err(WireErrorCode::NotApproved), "used already");
        bench.set(EVENTS, "KEgxemnh").await?;
        match end {
            "restore" => drop(app.handle(Request::RestoreEvents { deployment: id.clone() }).await?),
            "switch off" => {
                let off = Request::SetSource {
                    deployment: id.clone(),
                    source: SourceId::Events,
                    on: false,
                    approval: None,
                };
                app.handle(off).await?;
            }
            _ => app.stop().await,
        }
        assert_eq!(bench.get(EVENTS).await?, "Kgh", "{end}: what another added stays");
        bench.set(EVENTS, "Kg").await?;
        bench.settled().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_sample_of_the_slow_log_begins_with_its_approval_and_ends_with_the_source() -> Result<()> {
    let mut bench = Bench::new().await?;
    let (app, id) = bench.app().await?;
    let set =
        |on, approval| Request::SetSource { deployment: id.clone(), source: SourceId::SlowLog, on, approval };
    app.handle(set(true, None)).await?;
    assert_eq!(bench.get(THRESHOLD).await?, "7000", "without an approval it is read as it stands");
    let (price, token) = preview(&app, &id, SourceId::SlowLog).await?;
    assert_eq!(
        price.commands,
        ["CONFIG SET slowlog-max-len 1024", "CONFIG SET slowlog-log-slower-than 0", "SLOWLOG RESET"]
    );
    app.handle(set(true, Some(token))).await?;
    bench.until(THRESHOLD, "0").await?;
    app.handle(set(false, None)).await?;
    bench.until(THRESHOLD, "7000").await?;
    bench.until(LENGTH, "128").await?;
    bench.settled().await?;
    app.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_command_shows_enables_and_restores_events_and_production_wants_a_yes() -> Result<()> {
    let mut bench = Bench::new().await?;
    let (status, shown, _) = bench.run(&["events", "show"]).await?;
    assert_eq!(status, 0);
    assert!(shown.contains("CONFIG SET notify-keyspace-events"), "{shown}");
    let (status, _, said) = bench.run(&["events", "enable"]).await?;
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("--yes"), "{said}");
    assert_eq!(bench.get(EVENTS).await?, "Kg");
    let (status, _, said) = bench.run(&["events", "enable", "--yes"]).await?;
    assert_eq!(status, 0, "{said}");
    assert_eq!(bench.get(EVENTS).await?, "EKegmnx", "it stays after the command");
    let (status, _, said) = bench.run(&["events", "restore"]).await?;
    assert_eq!(status, 0, "{said}");
    assert_eq!(bench.get(EVENTS).await?, "Kg");
    let (status, _, said) = bench.run(&["events", "restore"]).await?;
    assert_eq!(status, 1, "there is nothing to restore: {said}");
    Ok(())
}

#[tokio::test]
async fn where_settings_may_not_be_changed_the_rule_is_named_and_the_slow_log_is_read_as_it_stands()
-> Result<()> {
    let users =
        vec!["ann on >pw ~* &* +@all -config|set".to_owned(), "bob on >pw ~* &* +@all -config".to_owned()];
    let bench = Bench::with(RedisOptions { users, ..Default::default() }).await?;
    for (user, rule) in [("ann", "+config|set"), ("bob", "+config|get")] {
        let url = format!("redis://{user}:pw@{}", bench.server.address());
        let (status, _, said) = bench.run_at(&url, &["events", "enable", "--yes"]).await?;
        assert_eq!(status, 3, "{said}");
        assert!(said.contains(rule), "{user}: {said}");
        let watch =
            ["snapshot", "--environment", "development", "--sources", "info,slowlog", "--watch-for", "1s"];
        let (status, _, said) = bench.run_at(&url, &watch).await?;
        assert_eq!(status, 0, "{said}");
        assert!(said.contains("read as it stands") && said.contains(rule), "{user}: {said}");
    }
    Ok(())
}
