//! The servers start, serve, and end with their values.

use std::path::Path;
use std::time::Duration;

use cachescope_lab::servers::{
    PrometheusOptions, PrometheusServer, RedisCluster, RedisExporter, RedisOptions, RedisServer, ScrapeJob,
    SentinelGroup, SentinelOptions,
};

fn running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

async fn ask<T: redis::FromRedisValue>(server: &RedisServer, words: &[&str]) -> T {
    let mut connection = server.connection().await.expect("the server accepts connections");
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut connection).await.expect("the server answers")
}

#[tokio::test]
async fn a_redis_server_serves_until_it_is_dropped() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server starts");
    let pid = server.pid().expect("it runs");
    let directory = server.directory().to_path_buf();
    assert_eq!(ask::<String>(&server, &["PING"]).await, "PONG");
    drop(server);
    assert!(!running(pid), "the process has ended");
    assert!(!directory.exists(), "nothing is left on disk");
}

#[tokio::test]
async fn a_panic_ends_the_servers_it_unwinds_through() {
    let panicking = tokio::spawn(async {
        let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server starts");
        std::panic::panic_any(server.pid().expect("it runs"));
    });
    let payload = panicking.await.expect_err("the task panics").into_panic();
    let pid = payload.downcast_ref::<u32>().expect("it panics with the process id");
    assert!(!running(*pid));
}

#[tokio::test]
async fn a_restarted_server_keeps_its_port_and_forgets_its_keys() {
    let mut server = RedisServer::start(RedisOptions::default()).await.expect("redis-server starts");
    let port = server.port();
    ask::<()>(&server, &["SET", "key", "value"]).await;
    server.stop();
    assert_eq!(server.pid(), None);
    server.restart().await.expect("the port is still free");
    assert_eq!(server.port(), port);
    assert_eq!(ask::<u64>(&server, &["DBSIZE"]).await, 0);
}

#[tokio::test]
async fn options_reach_the_server() {
    let options = RedisOptions {
        password: Some("with \"quotes\" and/slash@".to_owned()),
        users: vec!["reader on >secret ~app:* resetchannels +get".to_owned()],
        config: vec![("maxmemory".to_owned(), "3mb".to_owned())],
        notify_keyspace_events: Some("Emxe".to_owned()),
        unix_socket: true,
        ..RedisOptions::default()
    };
    let server = RedisServer::start(options).await.expect("redis-server starts");
    let config: Vec<String> = ask(&server, &["CONFIG", "GET", "maxmemory"]).await;
    assert_eq!(config, ["maxmemory", "3145728"]);
    let mut flags: Vec<char> =
        ask::<Vec<String>>(&server, &["CONFIG", "GET", "notify-keyspace-events"]).await[1].chars().collect();
    flags.sort_unstable();
    assert_eq!(flags, ['E', 'e', 'm', 'x']);
    assert!(ask::<Vec<String>>(&server, &["ACL", "USERS"]).await.contains(&"reader".to_owned()));
    let socket = server.unix_socket().expect("it was asked for");
    tokio::net::UnixStream::connect(socket).await.expect("the socket accepts");
}

#[tokio::test]
async fn a_tls_server_asks_for_the_client_certificate_it_was_told_to_ask_for() {
    let options = RedisOptions { tls: true, require_client_certificate: true, ..RedisOptions::default() };
    let server = RedisServer::start(options).await.expect("redis-server starts");
    assert!(server.url().starts_with("rediss://"));
    assert_eq!(ask::<String>(&server, &["PING"]).await, "PONG");
    let ca =
        std::fs::read(&server.certificates().expect("it speaks TLS").ca).expect("the authority is on disk");
    let without = redis::TlsCertificates { client_tls: None, root_cert: Some(ca) };
    let client = redis::Client::build_with_tls(server.url(), without).expect("the authority is readable");
    assert!(client.get_multiplexed_async_connection().await.is_err(), "no certificate, no entry");
}

#[tokio::test]
async fn a_refused_configuration_is_told_in_the_servers_own_words() {
    let config = vec![("no-such-directive".to_owned(), "1".to_owned())];
    let options = RedisOptions { config, ..RedisOptions::default() };
    let error = RedisServer::start(options).await.expect_err("the directive does not exist").to_string();
    assert!(error.contains("no-such-directive"), "{error}");
}

#[tokio::test]
async fn a_sentinel_group_knows_its_primary() {
    let group = SentinelGroup::start(SentinelOptions::default()).await.expect("the group starts");
    for sentinel in group.sentinels() {
        let address: Vec<String> =
            ask(sentinel, &["SENTINEL", "get-master-addr-by-name", group.service()]).await;
        assert_eq!(address.join(":"), group.primary().address());
    }
    ask::<()>(group.primary(), &["SET", "key", "value"]).await;
    assert_eq!(ask::<u64>(group.primary(), &["WAIT", "1", "5000"]).await, 1);
    assert_eq!(ask::<String>(&group.replicas()[0], &["GET", "key"]).await, "value");
}

#[tokio::test]
async fn a_cluster_serves_every_slot_with_three_primaries_and_three_replicas() {
    let cluster = RedisCluster::start(RedisOptions::default()).await.expect("the cluster forms");
    assert_eq!((cluster.primaries().len(), cluster.replicas().len()), (3, 3));
    for node in cluster.nodes() {
        let info: String = ask(node, &["CLUSTER", "INFO"]).await;
        assert!(info.contains("cluster_slots_ok:16384"), "{info}");
    }
    let client = redis::cluster::ClusterClient::new(cluster.urls()).expect("the URLs are valid");
    let mut connection = client.get_async_connection().await.expect("a cluster client finds its way");
    for number in 0..20 {
        let key = format!("key:{number}");
        redis::cmd("SET")
            .arg(&key)
            .arg(number)
            .exec_async(&mut connection)
            .await
            .expect("each slot is served");
    }
}

#[tokio::test]
async fn prometheus_scrapes_the_exporter_of_a_redis_server() {
    cachescope_lab::servers::install_crypto();
    let redis = RedisServer::start(RedisOptions::default()).await.expect("redis-server starts");
    let exporter = RedisExporter::start(&redis.url()).await.expect("the exporter starts");
    let options = PrometheusOptions {
        jobs: vec![ScrapeJob::new("redis", vec![exporter.address()])],
        scrape_interval: Duration::from_millis(200),
        rules: vec!["groups: [{name: lab, rules: [{record: 'lab:up', expr: redis_up}]}]".to_owned()],
        ..PrometheusOptions::default()
    };
    let prometheus = PrometheusServer::start(options).await.expect("prometheus starts");
    let url = format!("{}/api/v1/query?query=lab:up", prometheus.url());
    let recorded = async {
        loop {
            let answer = reqwest::get(&url).await.expect("prometheus answers").text().await.expect("in text");
            if answer.contains("\"1\"") {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let answer =
        tokio::time::timeout(Duration::from_secs(20), recorded).await.expect("the rule records soon");
    assert!(answer.contains("lab:up"), "{answer}");
}

#[tokio::test]
async fn a_lab_that_is_killed_leaves_no_server_and_no_file_behind() {
    // A process that starts a server as the lab does, and is killed without a chance to clean up, is this
    // test binary itself, run once more for the test below.
    let mut child = std::process::Command::new(std::env::current_exe().expect("this binary has a path"))
        .args(["--ignored", "--exact", "helper_that_starts_a_server_and_waits", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("this binary runs");
    let output = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    let line = std::io::BufRead::lines(output)
        .map_while(Result::ok)
        .find_map(|line| line.split_once("server: ").map(|(_, rest)| rest.to_owned()))
        .expect("it says what it started");
    let (pid, directory) = line.split_once(' ').expect("process id and directory");
    let pid: u32 = pid.parse().expect("it is a process id");
    assert!(running(pid) && Path::new(directory).exists());
    child.kill().expect("it runs");
    child.wait().expect("it was started here");
    let gone = async {
        while running(pid) || Path::new(directory).exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the watchdog cleans up");
}

#[tokio::test]
#[ignore = "not a test: the one above runs it and kills it"]
#[allow(clippy::print_stdout, reason = "the test that runs it reads what it prints")]
async fn helper_that_starts_a_server_and_waits() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server starts");
    println!("server: {} {}", server.pid().expect("it runs"), server.directory().display());
    std::future::pending::<()>().await;
}
