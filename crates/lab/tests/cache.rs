//! The documented cache-service interface, on a real Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cachescope_lab::cache::{CacheOptions, CacheService, ComputeOptions, From, glob_matches};
use cachescope_lab::ledger::Ledger;
use cachescope_lab::metrics::{Dialect, Metrics};
use cachescope_lab::namespace::Namespace;
use cachescope_lab::servers::{RedisOptions, RedisServer};

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

fn service(redis: &RedisServer, instance: &str, options: CacheOptions) -> CacheService {
    let namespaces = [Namespace::new("user", "user:{userId}")];
    let metrics = Arc::new(Metrics::new(Dialect::LayerType, 1));
    let ledger = Arc::new(Ledger::new(&namespaces));
    let client = redis.client().expect("the URL is valid");
    CacheService::new(instance, client, &namespaces, metrics, ledger, options)
        .expect("it needs no connection")
}

async fn redis_and_service() -> (RedisServer, CacheService) {
    let redis = RedisServer::start(RedisOptions::default()).await.expect("redis-server starts");
    let cache = service(&redis, "one", CacheOptions::default());
    (redis, cache)
}

async fn ask<T: redis::FromRedisValue>(redis: &RedisServer, words: &[&str]) -> T {
    let mut connection = redis.connection().await.expect("the server accepts connections");
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut connection).await.expect("the server answers")
}

/// Awaits a condition that another instance brings about.
async fn eventually<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let awaited = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), awaited).await.expect("it comes about");
}

fn loader(
    value: &'static str,
    loads: &Arc<AtomicUsize>,
) -> impl FnOnce() -> futures::future::Ready<Result<Bytes, String>> + Send + use<> {
    let loads = Arc::clone(loads);
    move || {
        loads.fetch_add(1, Ordering::SeqCst);
        futures::future::ready(Ok(Bytes::from_static(value.as_bytes())))
    }
}

#[tokio::test]
async fn values_are_stored_with_their_time_to_live_and_deleted() {
    let (redis, cache) = redis_and_service().await;
    cache.set("user:1", &vec![1, 2, 3], MINUTE).await.expect("Redis stores");
    assert_eq!(cache.get::<Vec<u8>>("user:1").await, Ok(Some(vec![1, 2, 3])));
    let ttl: u64 = ask(&redis, &["PTTL", "user:1"]).await;
    assert!((50_000..=60_000).contains(&ttl), "{ttl} ms");
    assert_eq!(cache.delete(&["user:1", "user:2"]).await, Ok(1), "one of them was there");
    assert_eq!(cache.get::<Vec<u8>>("user:1").await, Ok(None));
}

#[tokio::test]
async fn a_pattern_deletes_what_redis_says_it_matches_and_nothing_else() {
    let (redis, cache) = redis_and_service().await;
    let keys = ["user:1", "user:12", "user:[a]", "user:b", "session:1", "user:\\x"];
    for pattern in ["user:1*", "user:[^1]", "user:\\[a]", "user:?", "user:[a-b]"] {
        for key in keys {
            cache.set(key, &1, MINUTE).await.expect("Redis stores");
        }
        let expected = keys.iter().filter(|key| glob_matches(pattern.as_bytes(), key.as_bytes())).count();
        assert!(expected > 0, "{pattern}");
        assert_eq!(cache.delete_pattern(pattern).await, Ok(expected as u64), "{pattern}");
        assert_eq!(ask::<usize>(&redis, &["DBSIZE"]).await, keys.len() - expected, "{pattern}");
    }
}

#[tokio::test]
async fn what_is_computed_is_stored_and_then_comes_from_redis() {
    let (_redis, cache) = redis_and_service().await;
    let loads = Arc::new(AtomicUsize::new(0));
    let options = ComputeOptions { ttl: MINUTE, ..ComputeOptions::default() };
    for expected in [From::Loader, From::Redis] {
        let computed =
            cache.get_or_compute_bytes("user:1", &options, loader("v", &loads)).await.expect("it loads");
        assert_eq!((computed.value.as_ref(), computed.from), (b"v".as_slice(), expected));
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    let number: u32 = cache
        .read_through("user:2", Duration::from_secs(60), || async { Ok::<_, String>(7) })
        .await
        .expect("it loads");
    assert_eq!(number, 7);
    assert_eq!(cache.get::<u32>("user:2").await, Ok(Some(7)));
}

#[tokio::test]
async fn the_redis_lock_lets_one_of_two_instances_load() {
    let (redis, one) = redis_and_service().await;
    let two = service(&redis, "two", CacheOptions::default());
    let loads = Arc::new(AtomicUsize::new(0));
    let options = ComputeOptions { ttl: MINUTE, lock: true, ..ComputeOptions::default() };
    let (open, gate) = tokio::sync::watch::channel(false);
    let slow = |mut gate: tokio::sync::watch::Receiver<bool>| {
        let loads = Arc::clone(&loads);
        move || async move {
            loads.fetch_add(1, Ordering::SeqCst);
            gate.wait_for(|open| *open).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(Bytes::from_static(b"v"))
        }
    };
    let opening = async {
        eventually(async || loads.load(Ordering::SeqCst) > 0).await;
        open.send(true).expect("the loader waits");
    };
    let (first, second, ()) = futures::join!(
        one.get_or_compute_bytes("user:1", &options, slow(gate.clone())),
        two.get_or_compute_bytes("user:1", &options, slow(gate)),
        opening,
    );
    assert_eq!(first.expect("it loads").value, second.expect("it waits").value);
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    assert_eq!(ask::<u64>(&redis, &["EXISTS", "lock:user:1"]).await, 0, "the lock is released");
}

#[tokio::test]
async fn a_tag_invalidates_its_keys_alone() {
    let (redis, cache) = redis_and_service().await;
    let tags = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let value = Bytes::from_static(b"1");
    cache.set_with_tags("user:1", &value, &tags(&["tenant:a"]), MINUTE).await.expect("Redis stores");
    cache
        .set_with_tags("user:2", &value, &tags(&["tenant:a", "organization:x"]), MINUTE)
        .await
        .expect("Redis stores");
    cache.set_with_tags("user:3", &value, &tags(&["tenant:b"]), MINUTE).await.expect("Redis stores");
    assert_eq!(cache.invalidate_tag("tenant:a").await, Ok(2));
    assert_eq!(cache.mget_bytes(&["user:1", "user:2", "user:3"]).await, Ok(vec![None, None, Some(value)]));
    assert_eq!(ask::<u64>(&redis, &["EXISTS", "tag:tenant:a"]).await, 0);
    assert!(ask::<i64>(&redis, &["TTL", "tag:tenant:b"]).await > 60, "a tag outlives its keys, and ends too");
}

#[tokio::test]
async fn batches_keep_their_order() {
    let (_redis, cache) = redis_and_service().await;
    cache.mset(&[("user:1", "a"), ("user:3", "c")], MINUTE).await.expect("Redis stores");
    let found = cache.mget::<String>(&["user:1", "user:2", "user:3"]).await;
    assert_eq!(found, Ok(vec![Some("a".to_owned()), None, Some("c".to_owned())]));
    assert_eq!(cache.mget::<String>(&[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn counters_lists_and_messages_work_as_documented() {
    let (redis, cache) = redis_and_service().await;
    assert_eq!((cache.incr("n").await, cache.incr("n").await, cache.decr("n").await), (Ok(1), Ok(2), Ok(1)));
    assert_eq!(cache.count_in_window("window", Duration::from_secs(60)).await, Ok(1));
    assert_eq!(cache.count_in_window("window", Duration::from_secs(60)).await, Ok(2));
    assert!(ask::<i64>(&redis, &["TTL", "window"]).await > 0, "the window ends");

    assert_eq!((cache.lpush("queue", &"first").await, cache.lpush("queue", &"second").await), (Ok(1), Ok(2)));
    assert_eq!(cache.rpop::<String>("queue").await, Ok(Some("first".to_owned())));
    assert_eq!(cache.rpop::<String>("empty").await, Ok(None));

    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let hear = move |message: String| sender.send(message).expect("the test listens");
    let _subscription = cache.subscribe("news", hear).await.expect("Redis subscribes");
    assert_eq!(cache.publish("news", &"hello").await, Ok(1));
    assert_eq!(receiver.recv().await.as_deref(), Some("hello"));
}

#[tokio::test]
async fn large_values_lie_compressed_and_come_back_whole() {
    let (redis, cache) = redis_and_service().await;
    let large = "word ".repeat(20_000);
    cache.set("user:1", &large, MINUTE).await.expect("Redis stores");
    assert!(ask::<usize>(&redis, &["STRLEN", "user:1"]).await < large.len() / 10);
    assert_eq!(cache.get::<String>("user:1").await, Ok(Some(large)));
}

#[tokio::test]
async fn write_through_reaches_the_cache_only_when_the_source_took_it() {
    let (_redis, cache) = redis_and_service().await;
    let value = |text: &'static str| Bytes::from_static(text.as_bytes());
    cache
        .write_through("user:1", &value("1"), MINUTE, async { Ok::<(), String>(()) })
        .await
        .expect("both take it");
    let refused = cache.write_through("user:1", &value("2"), MINUTE, async { Err("constraint") }).await;
    assert!(refused.expect_err("the source refuses").to_string().contains("constraint"));
    assert_eq!(cache.get_bytes("user:1").await, Ok(Some(value("1"))));
}

#[tokio::test]
async fn an_invalidation_reaches_the_other_instances_in_process_cache() {
    let (redis, one) = redis_and_service().await;
    let two = service(&redis, "two", CacheOptions::default());
    let subscribed = async || {
        ask::<Vec<redis::Value>>(&redis, &["PUBSUB", "NUMSUB", "cache:invalidate"]).await[1]
            == redis::Value::Int(2)
    };
    eventually(subscribed).await;
    let loads = Arc::new(AtomicUsize::new(0));
    let options =
        ComputeOptions { ttl: Some(Duration::from_secs(600)), in_process: true, ..ComputeOptions::default() };
    let from = async |cache: &CacheService, key: &str| {
        cache.get_or_compute_bytes(key, &options, loader("v", &loads)).await.expect("it loads").from
    };
    for (key, invalidate_by_pattern) in [("user:1", false), ("user:2", true)] {
        assert_eq!(from(&one, key).await, From::Loader);
        assert_eq!(from(&two, key).await, From::Redis);
        assert_eq!(from(&two, key).await, From::Memory);
        if invalidate_by_pattern {
            assert_eq!(one.delete_pattern("user:*").await, Ok(1));
        } else {
            assert_eq!(one.delete(&[key]).await, Ok(1));
        }
        eventually(async || from(&two, key).await != From::Memory).await;
        one.delete(&[key]).await.expect("Redis deletes");
    }
}

#[tokio::test]
async fn the_service_works_without_redis_and_with_it_again() {
    let (mut redis, cache) = redis_and_service().await;
    let loads = Arc::new(AtomicUsize::new(0));
    let options = ComputeOptions { ttl: MINUTE, ..ComputeOptions::default() };
    let from = async || {
        cache.get_or_compute_bytes("user:1", &options, loader("v", &loads)).await.expect("it loads").from
    };
    assert_eq!(from().await, From::Loader);
    redis.stop();
    assert_eq!(from().await, From::WithoutCache);
    assert!(cache.get_bytes("user:1").await.is_err(), "a plain lookup says that it could not be made");
    redis.restart().await.expect("the port is still free");
    eventually(async || from().await == From::Redis).await;
}

#[tokio::test]
async fn a_server_that_hangs_costs_a_request_its_deadline_and_no_more() {
    let redis = RedisServer::start(RedisOptions::default()).await.expect("redis-server starts");
    let within = Duration::from_millis(100);
    let options = CacheOptions {
        command_within: within,
        rest_after_failure: Duration::from_secs(60),
        ..CacheOptions::default()
    };
    let cache = service(&redis, "one", options);
    cache.set("user:1", &1, MINUTE).await.expect("Redis stores");
    ask::<String>(&redis, &["CLIENT", "PAUSE", "60000", "ALL"]).await;
    let loads = Arc::new(AtomicUsize::new(0));
    for _ in 0..50 {
        let options = ComputeOptions::default();
        let computing = cache.get_or_compute_bytes("user:1", &options, loader("v", &loads));
        assert_eq!(computing.await.expect("it loads").from, From::WithoutCache);
    }
    assert_eq!(loads.load(Ordering::SeqCst), 50, "none waited for the pause to end");
}
