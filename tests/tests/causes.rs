//! Why keys miss, on a real server, held against a ledger that knows of every key why it is not there.

mod causes_support;

use anyhow::Result;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::snapshot::MissCauses;
use causes_support::{Observer, parts};
use redis::Value;
use redis::aio::MultiplexedConnection;

/// Keys of the service, each a namespace of its own, so that causes can be told apart by key.
const KEYS: usize = 900;
const VALUE_BYTES: usize = 1_000;
/// There is room for about two thirds of them.
const ROOM_BYTES: u64 = 800_000;

/// Why a key is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    Cold,
    Expired,
    Evicted,
    Deleted,
    Flushed,
}

/// A cache-aside service over one connection, with its ledger.
struct Service {
    connection: MultiplexedConnection,
    keys: Vec<Result<(), Gone>>,
    truth: Vec<MissCauses>,
    seed: u64,
}

impl Service {
    async fn new(server: &RedisServer) -> Result<Self> {
        let connection = server.connection().await?;
        Ok(Self {
            connection,
            keys: vec![Err(Gone::Cold); KEYS],
            truth: vec![MissCauses::default(); KEYS],
            seed: 1,
        })
    }

    fn random(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % below
    }

    /// Limits the server's memory to what it has now and a little more.
    async fn limit_memory(&mut self) -> Result<()> {
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut self.connection).await?;
        let used =
            info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse::<u64>().ok());
        let limit = used.unwrap_or_default() + ROOM_BYTES;
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(limit).exec_async(&mut self.connection).await?;
        Ok(())
    }

    /// Reads a key. Whether it is there is asked right before, in a way that no counter shows: a key that nobody
    /// removed and that is gone was evicted.
    async fn read(&mut self, key: usize) -> Result<()> {
        let name = name(key);
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("MEMORY").arg("USAGE").arg(&name).cmd("GET").arg(&name);
        let (there, value): (Option<u64>, Value) = pipe.query_async(&mut self.connection).await?;
        if there.is_none() && self.keys[key].is_ok() {
            self.keys[key] = Err(Gone::Evicted);
        }
        if value == Value::Nil {
            let truth = &mut self.truth[key];
            match self.keys[key] {
                Err(Gone::Cold) => truth.cold += 1,
                Err(Gone::Expired) => truth.expired += 1,
                Err(Gone::Evicted) => truth.evicted += 1,
                Err(Gone::Deleted) => truth.deleted += 1,
                Err(Gone::Flushed) => truth.flushed += 1,
                Ok(()) => anyhow::bail!("{name} is there and missed"),
            }
        }
        Ok(())
    }

    async fn ask(&mut self, words: &[&str]) -> Result<Value> {
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        Ok(command.query_async(&mut self.connection).await?)
    }

    async fn set(&mut self, key: usize) -> Result<()> {
        // A key that ran out and was not looked at since is removed by the write itself.
        let value = "v".repeat(VALUE_BYTES);
        self.ask(&["SET", &name(key), &value]).await?;
        self.keys[key] = Ok(());
        Ok(())
    }

    /// Removes a key that is there in one of several ways.
    async fn remove(&mut self, key: usize, gone: Gone) -> Result<()> {
        let name = name(key);
        let done = match gone {
            Gone::Expired => {
                let mut pipe = redis::pipe();
                pipe.atomic().cmd("PEXPIRE").arg(&name).arg(1).cmd("MEMORY").arg("USAGE").arg(&name);
                let (set, there): (Value, Option<u64>) = pipe.query_async(&mut self.connection).await?;
                if set == Value::Int(1) && there.is_none() {
                    // The millisecond went by within the command: then the server deletes the key and says `del`.
                    self.keys[key] = Err(Gone::Deleted);
                    return Ok(());
                }
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                // It is noticed now, by one way or the other; a write in between could evict it.
                if self.keys[key].is_ok() && self.random(2) == 0 {
                    self.ask(&["UNLINK", &name]).await?;
                    set
                } else {
                    if set == Value::Int(1) {
                        self.keys[key] = Err(Gone::Expired);
                    }
                    return self.read(key).await;
                }
            }
            _ => self.ask(&["UNLINK", &name]).await?,
        };
        self.keys[key] = match (done, self.keys[key]) {
            (Value::Int(1), Ok(())) => Err(gone),
            (_, Ok(())) => Err(Gone::Evicted),
            (_, gone) => gone,
        };
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        // What was evicted before and not looked at since must not be taken for flushed. All in one transaction: between
        // two commands the server may evict once more.
        let mut pipe = redis::pipe();
        pipe.atomic();
        for key in 0..KEYS {
            pipe.cmd("MEMORY").arg("USAGE").arg(name(key));
        }
        pipe.cmd("FLUSHDB").ignore();
        let there: Vec<Option<u64>> = pipe.query_async(&mut self.connection).await?;
        for (state, there) in self.keys.iter_mut().zip(there) {
            if state.is_ok() {
                *state = Err(if there.is_some() { Gone::Flushed } else { Gone::Evicted });
            }
        }
        Ok(())
    }

    /// Misses are filled, and keys go in every way there is.
    async fn serve(&mut self, rounds: usize) -> Result<()> {
        for round in 0..rounds {
            let key = self.random(KEYS);
            self.read(key).await?;
            if self.random(10) < 8 && self.keys[key].is_err() {
                self.set(key).await?;
            }
            match self.random(12) {
                0 => {
                    let key = self.random(KEYS);
                    self.remove(key, Gone::Expired).await?;
                }
                1 | 2 => {
                    let key = self.random(KEYS);
                    self.remove(key, Gone::Deleted).await?;
                }
                _ => {}
            }
            if round % (rounds / 3) == rounds / 3 - 1 {
                self.flush().await?;
            }
        }
        Ok(())
    }
}

fn name(key: usize) -> String {
    format!("k{key}:x")
}

fn evicting() -> RedisOptions {
    RedisOptions {
        notify_keyspace_events: Some("Emxegn".to_owned()),
        config: vec![("maxmemory-policy".to_owned(), "allkeys-random".to_owned())],
        ..RedisOptions::default()
    }
}

/// What was said of all keys, what was true of them, and how many misses were said to be of a wrong cause.
struct Verdict {
    said: [u64; 6],
    truth: [u64; 6],
    wrong: u64,
}

async fn verdict(capacity: usize, rounds: usize) -> Result<Verdict> {
    let server = RedisServer::start(evicting()).await?;
    let names: Vec<String> = (0..KEYS).map(name).collect();
    let mut observer = Observer::start(&server, &names, capacity).await?;
    let mut service = Service::new(&server).await?;
    service.limit_memory().await?;
    service.serve(rounds).await?;
    observer.settle().await?;
    let said = observer.causes();
    let mut verdict = Verdict { said: [0; 6], truth: [0; 6], wrong: 0 };
    for (key, truth) in service.truth.iter().enumerate() {
        let said = said.get(&name(key)).copied().unwrap_or_default();
        assert_eq!(said.total(), truth.total(), "every miss of key {key} is counted");
        let (said, truth) = (parts(&said), parts(truth));
        for place in 0..6 {
            verdict.said[place] += said[place];
            verdict.truth[place] += truth[place];
            // More of a cause than there were; of unknown ones there may be any number.
            if place < 5 && said[place] > truth[place] {
                verdict.wrong += said[place] - truth[place];
                eprintln!("key {key}: said {said:?} of {truth:?}");
            }
        }
    }
    eprintln!(
        "expired, evicted, deleted, flushed, cold, unknown: said {:?} of {:?}, {} wrong",
        verdict.said, verdict.truth, verdict.wrong
    );
    Ok(verdict)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_real_server_99_percent_of_every_cause_are_right_and_none_is_wrong() -> Result<()> {
    let Verdict { said, truth, wrong } = verdict(4_096, 12_000).await?;
    assert_eq!(wrong, 0);
    for place in 0..5 {
        assert!(truth[place] > 50, "every cause occurs: {truth:?}");
        assert!(said[place] * 100 >= truth[place] * 99, "{said:?} of {truth:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_capacity_more_is_unknown_and_none_is_wrong_on_a_real_server_either() -> Result<()> {
    let Verdict { said, wrong, .. } = verdict(150, 6_000).await?;
    assert_eq!(wrong, 0);
    assert!(said[5] > 0, "some had to be forgotten: {said:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn renamed_and_moved_keys_are_deleted_where_they_were_and_there_where_they_are() -> Result<()> {
    let server = RedisServer::start(evicting()).await?;
    let names: Vec<String> = (0..4).map(name).collect();
    let mut observer = Observer::start(&server, &names, 1_000).await?;
    let mut service = Service::new(&server).await?;
    for words in [
        &["SET", "k0:x", "v"][..],
        &["RENAME", "k0:x", "k1:x"],
        &["GET", "k0:x"], // deleted: renamed away
        &["GET", "k1:x"], // there
        &["RENAME", "k1:x", "k0:x"],
        &["GET", "k0:x"], // there again
        &["GET", "k1:x"], // deleted: renamed away
        &["SET", "k2:x", "v"],
        &["MOVE", "k2:x", "1"],
        &["GET", "k2:x"], // deleted: moved away
        &["SELECT", "1"],
        &["GET", "k2:x"], // there
        &["GET", "k3:x"], // cold
        &["SELECT", "0"],
        &["SET", "k3:x", "v"],
        &["COPY", "k3:x", "k1:x"],
        &["GET", "k1:x"], // there
    ] {
        service.ask(words).await?;
    }
    observer.settle().await?;
    let said = observer.causes();
    for (key, deleted, cold) in [(0, 1, 0), (1, 1, 0), (2, 1, 0), (3, 0, 1)] {
        let expected = MissCauses { deleted, cold, ..MissCauses::default() };
        assert_eq!(said.get(&name(key)).copied().unwrap_or_default(), expected, "{}", name(key));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_subscription_is_seen_and_what_was_known_before_it_is_unknown() -> Result<()> {
    let server = RedisServer::start(evicting()).await?;
    let names: Vec<String> = (0..5).map(name).collect();
    let mut observer = Observer::start(&server, &names, 1_000).await?;
    let mut service = Service::new(&server).await?;
    service.ask(&["SET", "k0:x", "v"]).await?;
    service.ask(&["UNLINK", "k0:x"]).await?;
    service.ask(&["GET", "k0:x"]).await?; // deleted
    service.ask(&["SET", "k1:x", "v"]).await?;
    service.ask(&["SET", "k2:x", "v"]).await?;
    observer.settle().await?;
    assert_eq!(observer.gaps(), 0);
    // In one breath: the subscriber is gone, and what follows happens unheard.
    let mut pipe = redis::pipe();
    pipe.atomic().cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub").ignore();
    pipe.cmd("UNLINK").arg("k1:x").ignore().cmd("GET").arg("k1:x").ignore();
    pipe.exec_async(&mut service.connection).await?;
    observer.listens_again(1).await?;
    for words in [
        &["GET", "k0:x"][..], // deleted before the gap: nobody knows whether it was set in it
        &["GET", "k1:x"],     // deleted in the gap
        &["UNLINK", "k2:x"],
        &["GET", "k2:x"], // deleted after the gap
        &["SET", "k3:x", "v", "PX", "1"],
    ] {
        service.ask(words).await?;
    }
    observer.settle().await?;
    service.ask(&["GET", "k3:x"]).await?; // expired after the gap
    observer.settle().await?;
    let said = observer.causes();
    for (key, expected) in [
        (0, MissCauses { deleted: 1, unknown: 1, ..MissCauses::default() }),
        // The one within the gap was not announced to anybody.
        (1, MissCauses { unknown: 1, ..MissCauses::default() }),
        (2, MissCauses { deleted: 1, ..MissCauses::default() }),
        (3, MissCauses { expired: 1, ..MissCauses::default() }),
    ] {
        assert_eq!(said.get(&name(key)).copied().unwrap_or_default(), expected, "{}", name(key));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_that_are_reset_make_no_cause_wrong() -> Result<()> {
    let server = RedisServer::start(evicting()).await?;
    let names: Vec<String> = (0..4).map(name).collect();
    let mut observer = Observer::start(&server, &names, 1_000).await?;
    let mut service = Service::new(&server).await?;
    for words in
        [&["SET", "k0:x", "v"][..], &["SET", "k1:x", "v"], &["SET", "k2:x", "v"], &["UNLINK", "k0:x"]]
    {
        service.ask(words).await?;
    }
    observer.settle().await?;
    service.ask(&["CONFIG", "RESETSTAT"]).await?;
    for words in [&["GET", "k0:x"][..], &["UNLINK", "k1:x"], &["GET", "k1:x"], &["GET", "k3:x"]] {
        service.ask(words).await?;
    }
    observer.settle().await?;
    let said = observer.causes();
    for (key, deleted, cold) in [(0, 1, 0), (1, 1, 0), (2, 0, 0), (3, 0, 1)] {
        let found = said.get(&name(key)).copied().unwrap_or_default();
        // A flush may have hidden in what was reset: unknown is no wrong answer, another cause is.
        assert_eq!(found.total(), deleted + cold, "{}", name(key));
        assert!(found.deleted <= deleted && found.cold <= cold, "{}: {found:?}", name(key));
    }
    Ok(())
}
