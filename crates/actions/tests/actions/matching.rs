//! Which keys match: the server's own verdict is the reference.

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::glob;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

const PATTERNS: usize = 10_000;
const KEYS: usize = 250;
const AT_ONCE: usize = 200;

/// Bytes that mean something in patterns, and some that don't: also NUL, line ends, invalid UTF-8, both ends of the
/// signed and the unsigned order.
const BYTES: &[u8] = b"**??[[]]^-\\\\aabbc:\x00\n\x7f\x80\xff";

fn bytes(runner: &mut TestRunner, length: std::ops::Range<usize>) -> Vec<u8> {
    let some = prop::collection::vec(prop::sample::select(BYTES), length);
    some.new_tree(runner).expect("bytes").current()
}

#[tokio::test]
async fn random_patterns_match_random_keys_exactly_as_the_server_says() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed");
    let mut connection = server.connection().await.expect("it answers");
    let mut runner = TestRunner::deterministic();
    let mut keys: Vec<Vec<u8>> = (0..KEYS).map(|_| bytes(&mut runner, 0..8)).collect();
    keys.sort();
    keys.dedup();
    let mut fill = redis::pipe();
    keys.iter().for_each(|key| {
        fill.cmd("SET").arg(key).arg("v");
    });
    fill.exec_async(&mut connection).await.expect("filled");
    let patterns: Vec<Vec<u8>> = (0..PATTERNS).map(|_| bytes(&mut runner, 0..12)).collect();
    let mut matched = 0;
    for some in patterns.chunks(AT_ONCE) {
        let mut scans = redis::pipe();
        for pattern in some {
            scans.cmd("SCAN").arg(0).arg("MATCH").arg(pattern).arg("COUNT").arg(100_000);
        }
        let replies: Vec<(u64, Vec<Vec<u8>>)> = scans.query_async(&mut connection).await.expect("scanned");
        for (pattern, (cursor, mut theirs)) in some.iter().zip(replies) {
            assert_eq!(cursor, 0, "one page holds all keys");
            theirs.sort();
            let ours: Vec<_> = keys.iter().filter(|key| glob::matches(pattern, key)).cloned().collect();
            assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(pattern));
            matched += ours.len();
        }
    }
    assert!(matched > PATTERNS, "the patterns match something: {matched}");
}
