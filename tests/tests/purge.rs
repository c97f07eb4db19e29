//! Purges by the command, on a real server, with kills at random moments.

use std::process::{Output, Stdio};
use std::time::Duration;

use cachescope_lab::servers::{RedisCluster, RedisOptions, RedisServer};
use cachescope_tests::programs;
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::process::Command;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

async fn server() -> RedisServer {
    let config = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    RedisServer::start(RedisOptions { config, ..RedisOptions::default() })
        .await
        .expect("redis-server is installed")
}

fn command(state: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(programs::cachescope().expect("it is built"));
    command
        .arg("purge")
        .args(arguments)
        .arg("--json")
        .env("CACHESCOPE_STATE_DIR", state.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn output(state: &tempfile::TempDir, arguments: &[&str]) -> Output {
    let running = command(state, arguments).output();
    tokio::time::timeout(PATIENCE, running).await.expect("it ends").expect("it starts")
}

async fn json(state: &tempfile::TempDir, arguments: &[&str]) -> Value {
    let output = output(state, arguments).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

async fn fill(connection: &mut MultiplexedConnection, keys: usize) {
    let mut pipe = redis::pipe();
    for number in 0..keys {
        pipe.cmd("SET").arg(format!("in:{number}")).arg(format!("value {number}")).arg("EX").arg(36_000);
    }
    pipe.cmd("SET").arg("out:1").arg("v");
    pipe.exec_async(connection).await.expect("filled");
}

async fn digest(connection: &mut MultiplexedConnection) -> String {
    redis::cmd("DEBUG").arg("DIGEST").query_async(connection).await.expect("digested")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_purge_is_previewed_run_once_listed_undone_and_audited() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, 500).await;
    let before = digest(&mut connection).await;
    let state = tempfile::tempdir().expect("a directory");
    let url = server.url();
    let preview =
        json(&state, &["preview", "--redis", &url, "--environment", "development", "--pattern", "in:*"])
            .await;
    assert_eq!(preview["keys"], 500);
    assert_eq!(preview["types"]["string"], 500);
    assert!(preview["bytes"].as_f64().is_some_and(|bytes| bytes > 10_000.0), "{}", preview["bytes"]);
    assert_eq!(preview["predicted_extra_misses_per_second"], 0.0);
    assert!(!preview["sample"].as_array().expect("names").is_empty());
    let token = text(&preview["token"]);
    let run = json(&state, &["run", "--approve", &token]).await;
    assert_eq!(run["removed"], 500);
    let again = output(&state, &["run", "--approve", &token]).await;
    assert_eq!(again.status.code(), Some(2), "a token is spent");
    let keys: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await.expect("counted");
    assert_eq!(keys, 1, "the key outside, and no lock");
    let name = text(&run["run"]);
    let list = json(&state, &["list"]).await;
    assert_eq!((&list[0]["run"], &list[0]["undo"]["undo"]), (&run["run"], &Value::from("possible")));
    let undone = json(&state, &["undo", &name]).await;
    assert_eq!(
        (&undone["restored"], &undone["conflicts"], &undone["expired"]),
        (&500.into(), &0.into(), &0.into())
    );
    assert_eq!(digest(&mut connection).await, before);
    let verified = Command::new(programs::cachescope().expect("it is built"))
        .args(["audit", "verify"])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .output()
        .await
        .expect("it starts");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[tokio::test]
async fn production_and_everything_are_guarded_with_one_line_and_a_status() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, 50).await;
    let state = tempfile::tempdir().expect("a directory");
    let url = server.url();
    for pattern in ["", "*", "**", "?*", "[^]*"] {
        let refused = output(&state, &["preview", "--redis", &url, "--pattern", pattern]).await;
        assert_eq!(refused.status.code(), Some(2), "{pattern}");
        assert_eq!(String::from_utf8_lossy(&refused.stderr).lines().count(), 1, "{pattern}");
    }
    let preview = json(&state, &["preview", "--redis", &url, "--pattern", "in:*"]).await;
    let token = text(&preview["token"]);
    let bare = output(&state, &["run", "--approve", &token]).await;
    assert_eq!(bare.status.code(), Some(1), "{}", String::from_utf8_lossy(&bare.stderr));
    let forged =
        output(&state, &["run", "--approve", "forged", "--redis", &url, "--environment", "development"])
            .await;
    assert_eq!(forged.status.code(), Some(2));
    let elsewhere = ["run", "--approve", &token, "--environment", "development"];
    let weaker = output(&state, &elsewhere).await;
    assert_eq!(weaker.status.code(), Some(2), "an approval on production is none on development");
    let keys: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await.expect("counted");
    assert_eq!(keys, 51);
    let preview = json(&state, &["preview", "--redis", &url, "--pattern", "in:*"]).await;
    let (token, name) = (text(&preview["token"]), text(&preview["wants"]["typed_name"]));
    let full = ["run", "--approve", &token, "--arm", "--type-name", &name, "--reason", "test"];
    let run = json(&state, &full).await;
    assert_eq!(run["removed"], 50);
}

/// Where a round is played: one server, or the primaries of a Cluster.
struct Place {
    url: String,
    primaries: Vec<MultiplexedConnection>,
    /// Hash tags by primary, so that each gets its keys in one go; none where there is but one.
    tags: Vec<Vec<String>>,
}

impl Place {
    async fn alone(server: &RedisServer) -> Self {
        let primaries = vec![server.connection().await.expect("it answers")];
        Self { url: server.url(), primaries, tags: vec![vec![String::new()]] }
    }

    async fn of(cluster: &RedisCluster) -> Self {
        let mut primaries = Vec::new();
        for node in cluster.primaries() {
            primaries.push(node.connection().await.expect("it answers"));
        }
        let mut tags = vec![Vec::new(); primaries.len()];
        for number in 0..60 {
            let tag = format!("{{t{number}}}");
            let slot: u32 = redis::cmd("CLUSTER")
                .arg("KEYSLOT")
                .arg(&tag)
                .query_async(&mut primaries[0])
                .await
                .expect("told");
            // The lab deals the slots out in equal thirds.
            let owner = (slot as usize / (16_384 / primaries.len())).min(primaries.len() - 1);
            tags[owner].push(tag);
        }
        Self { url: cluster.url(), primaries, tags }
    }

    async fn fill(&mut self, keys: usize) {
        let each = keys / self.primaries.len();
        for (connection, tags) in self.primaries.iter_mut().zip(&self.tags) {
            let mut pipe = redis::pipe();
            pipe.cmd("FLUSHALL");
            for number in 0..each {
                let key = format!("in:{}{number}", tags[number % tags.len()]);
                pipe.cmd("SET").arg(key).arg(format!("value {number}")).arg("EX").arg(36_000);
            }
            pipe.cmd("SET").arg(format!("out:{}", tags[0])).arg("v");
            pipe.exec_async(connection).await.expect("filled");
        }
    }

    async fn digest(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for connection in &mut self.primaries {
            all.push(digest(connection).await);
        }
        all
    }

    async fn keys(&mut self) -> u64 {
        let mut all = 0;
        for connection in &mut self.primaries {
            let keys: u64 = redis::cmd("DBSIZE").query_async(connection).await.expect("counted");
            all += keys;
        }
        all
    }

    /// The keys outside the scope.
    async fn outside(&mut self) -> usize {
        let mut all = 0;
        for connection in &mut self.primaries {
            let keys: Vec<String> =
                redis::cmd("KEYS").arg("out:*").query_async(connection).await.expect("listed");
            all += keys.len();
        }
        all
    }

    /// What a killed run left behind ends by itself, later.
    async fn unlock(&mut self) {
        for connection in &mut self.primaries {
            // Refused by those that do not answer for its slot.
            let _refused: redis::RedisResult<u64> =
                redis::cmd("UNLINK").arg("cachescope:lock:purge").query_async(connection).await;
        }
    }
}

/// One round: filled, killed at some moment, then resumed and undone, or undone at once. In the end all is as it
/// was.
async fn killed_and_put_right(place: &mut Place, round: u64) {
    const KEYS: usize = 15_000;
    place.fill(KEYS).await;
    let before = place.digest().await;
    let state = tempfile::tempdir().expect("a directory");
    let url = place.url.clone();
    let preview =
        json(&state, &["preview", "--redis", &url, "--environment", "development", "--pattern", "in:*"])
            .await;
    let token = text(&preview["token"]);
    let mut running = command(&state, &["run", "--approve", &token]).spawn().expect("it starts");
    // A random moment of a run, also before its beginning and after its end.
    let after = Duration::from_micros((round.wrapping_mul(2_654_435_761) % 450_000) + 1_000);
    tokio::time::sleep(after).await;
    running.kill().await.expect("killed");
    assert_eq!(place.outside().await, place.primaries.len(), "round {round}: a key outside is gone");
    let list = json(&state, &["list"]).await;
    let Some(run) = list.as_array().and_then(|runs| runs.first()) else {
        place.unlock().await;
        let now = place.digest().await;
        assert_eq!(now, before, "round {round}: nothing was written down, so nothing is gone");
        return;
    };
    let name = text(&run["run"]);
    if round.is_multiple_of(2) && run["phase"] != "finished" {
        let resumed = json(&state, &["run", "--resume", &name]).await;
        assert_eq!(resumed["phase"], "finished", "round {round}: {}", resumed["why"]);
        assert_eq!(place.keys().await, place.primaries.len() as u64, "round {round}");
    }
    let undone = json(&state, &["undo", &name]).await;
    assert_eq!((&undone["conflicts"], &undone["failed"]), (&0.into(), &0.into()), "round {round}: {undone}");
    place.unlock().await;
    assert_eq!(place.digest().await, before, "round {round}: {undone}");
}

/// Rounds `CACHESCOPE_ROUNDS`, such as `0..50`, or those that are given.
fn rounds(usual: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("CACHESCOPE_ROUNDS") else { return usual };
    let (from, to) = text.split_once("..").expect("CACHESCOPE_ROUNDS is like 0..50");
    from.parse().expect("a number")..to.parse().expect("a number")
}

async fn cluster() -> RedisCluster {
    let config = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    RedisCluster::start(RedisOptions { config, ..RedisOptions::default() }).await.expect("a cluster starts")
}

#[tokio::test]
async fn killed_at_random_moments_nothing_is_lost() {
    let server = server().await;
    let mut place = Place::alone(&server).await;
    for round in 0..8 {
        killed_and_put_right(&mut place, round).await;
    }
}

#[tokio::test]
async fn killed_at_random_moments_nothing_of_a_cluster_is_lost() {
    let cluster = cluster().await;
    let mut place = Place::of(&cluster).await;
    for round in 0..4 {
        killed_and_put_right(&mut place, round).await;
    }
}

#[tokio::test]
#[ignore = "takes minutes; cargo test -p cachescope-tests --test purge -- --ignored (CACHESCOPE_ROUNDS=0..50 for a part)"]
async fn killed_at_two_hundred_random_moments_nothing_is_lost() {
    let server = server().await;
    let mut place = Place::alone(&server).await;
    for round in rounds(0..200) {
        killed_and_put_right(&mut place, round).await;
    }
}

#[tokio::test]
#[ignore = "takes minutes; cargo test -p cachescope-tests --test purge -- --ignored (CACHESCOPE_ROUNDS=0..50 for a part)"]
async fn killed_at_two_hundred_random_moments_nothing_of_a_cluster_is_lost() {
    let cluster = cluster().await;
    let mut place = Place::of(&cluster).await;
    for round in rounds(0..200) {
        killed_and_put_right(&mut place, round).await;
    }
}

/// The kernel lets no file of the process grow beyond a limit, as it lets none grow on a disk that is full.
#[cfg(unix)]
#[tokio::test]
async fn a_disk_that_is_full_halts_the_run_and_nothing_that_is_not_in_the_undo_file_is_gone() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    let mut pipe = redis::pipe();
    for number in 0..4_000_u64 {
        // What can't be compressed.
        let noise: Vec<u8> = (0..1_000_u64)
            .map(|byte| ((number * 1_000 + byte).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
            .collect();
        pipe.cmd("SET").arg(format!("in:{number}")).arg(noise);
    }
    pipe.exec_async(&mut connection).await.expect("filled");
    let before = digest(&mut connection).await;
    let state = tempfile::tempdir().expect("a directory");
    let url = server.url();
    let preview =
        json(&state, &["preview", "--redis", &url, "--environment", "development", "--pattern", "in:*"])
            .await;
    let token = text(&preview["token"]);
    // In blocks of 512 or 1,024 bytes, as the shell has it: less than the values are in both.
    let output = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 2000; exec "$0" "$@""#])
        .arg(programs::cachescope().expect("it is built"))
        .args(["purge", "run", "--json", "--approve", &token])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .stdin(Stdio::null())
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("undo file") && said.trim().lines().count() == 1, "{said}");
    let run: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(run["phase"], "halted");
    let removed = run["removed"].as_u64().expect("counted");
    let keys: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await.expect("counted");
    assert!(removed > 0 && removed < 4_000, "{removed}");
    assert_eq!(keys + removed, 4_000);
    let undone = json(&state, &["undo", &text(&run["run"])]).await;
    assert_eq!((&undone["restored"], &undone["complete"]), (&removed.into(), &true.into()), "{undone}");
    assert_eq!(digest(&mut connection).await, before);
}
