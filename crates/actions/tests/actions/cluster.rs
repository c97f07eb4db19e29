//! The same on a Cluster.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cachescope_actions::run_state::RunPhase;
use cachescope_actions::undo::Part;
use cachescope_lab::servers::{RedisCluster, RedisOptions};

use crate::support::{Bench, fast, now_ms};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_purged_and_undone_whole_while_writers_are_at_work() {
    const KEYS: usize = 6_000;
    let cluster = RedisCluster::start(RedisOptions::default()).await.expect("a cluster starts");
    let client = redis::cluster::ClusterClient::new(cluster.urls()).expect("a client");
    let mut connection = client.get_async_connection().await.expect("it answers");
    for number in 0..KEYS {
        let () = redis::cmd("SET")
            .arg(format!("in:{number}"))
            .arg(format!("value {number}"))
            .arg("EX")
            .arg(3_600)
            .query_async(&mut connection)
            .await
            .expect("set");
    }
    let () = redis::cmd("SET").arg("out:1").arg("v").query_async(&mut connection).await.expect("set");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (mut connection, stop) = (connection.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let (mut last, mut count) = (HashMap::new(), 0_usize);
            while !stop.load(Ordering::Relaxed) {
                let (key, value) = (format!("in:{}", count * 7_919 % KEYS), format!("written {count}"));
                let () =
                    redis::cmd("SET").arg(&key).arg(&value).query_async(&mut connection).await.expect("set");
                last.insert(key, value);
                count += 1;
            }
            last
        })
    };
    let bench = Bench::on(&cluster.url()).await;
    let preview = bench.preview(bench.pattern("in:*", fast())).await.expect("counted");
    assert_eq!((preview.keys, preview.nodes.len()), (KEYS as u64, 3));
    assert!(preview.nodes.iter().all(|node| node.slots > 100), "{:?}", preview.nodes);
    let state = bench.start("1", bench.pattern("in:*", fast())).await.expect("it starts").ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    assert!(state.counts.removed >= KEYS as u64 / 2, "{:?}", state.counts);
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.expect("it ends");
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert!(result.complete && result.failed == 0, "{result:?}");
    for number in 0..KEYS {
        let key = format!("in:{number}");
        let value: Option<String> =
            redis::cmd("GET").arg(&key).query_async(&mut connection).await.expect("got");
        let expected = written.get(&key).cloned().unwrap_or_else(|| format!("value {number}"));
        assert_eq!(value.as_deref(), Some(expected.as_str()), "{key}");
    }
    let outside: Option<String> =
        redis::cmd("GET").arg("out:1").query_async(&mut connection).await.expect("got");
    assert_eq!(outside.as_deref(), Some("v"));
}
