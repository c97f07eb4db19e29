//! A keyspace as caches have them: namespaces of different types, sizes and times to live, and a few large keys.

use anyhow::{Context, Result};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use redis::Pipeline;

/// Commands sent at once while filling.
const AT_ONCE: u64 = 10_000;

/// One namespace: its share of all keys in thousandths, and how its keys are written.
struct Namespace {
    thousandths: u64,
    write: fn(&mut Pipeline, u64, &mut Numbers),
}

const NAMESPACES: [Namespace; 9] = [
    Namespace { thousandths: 300, write: session },
    Namespace { thousandths: 180, write: profile },
    Namespace { thousandths: 150, write: product },
    Namespace { thousandths: 120, write: rate },
    Namespace { thousandths: 80, write: cart },
    Namespace { thousandths: 70, write: feed },
    Namespace { thousandths: 50, write: tags },
    Namespace { thousandths: 40, write: report },
    Namespace { thousandths: 10, write: page },
];

/// Large keys beside them: hashes of 2,000 fields and strings of 128 KiB, so many of each. Of larger ones a handful
/// would hold more than 2 % of all bytes, and no part of the walk could tell how many there are.
const LARGE: u64 = 10;

/// Reproducible numbers (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `most`.
    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    fn even(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Lognormal with this median and this standard deviation of the logarithm, at most a megabyte.
    fn lognormal(&mut self, median: f64, sigma: f64) -> usize {
        let normal =
            (-2.0 * self.even().max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * self.even()).cos();
        (median * (sigma * normal).exp()).clamp(1.0, 1e6) as usize
    }
}

/// Starts a server that holds about `keys` keys.
pub(crate) async fn start(keys: u64) -> Result<RedisServer> {
    let server = RedisServer::start(RedisOptions::default()).await?;
    let mut connection = server.connection().await?;
    connection.set_response_timeout(std::time::Duration::from_secs(60));
    let mut numbers = Numbers(1);
    for namespace in &NAMESPACES {
        let count = keys * namespace.thousandths / 1_000;
        let mut written = 0;
        while written < count {
            let mut pipeline = redis::pipe();
            for number in written..(written + AT_ONCE).min(count) {
                (namespace.write)(&mut pipeline, number, &mut numbers);
            }
            written += AT_ONCE;
            let () = pipeline.exec_async(&mut connection).await.context("the keys can't be written")?;
        }
    }
    for number in 0..LARGE {
        let mut pipeline = redis::pipe();
        pipeline.set(format!("export:{number}"), vec![b'x'; 128 << 10]).ignore();
        for field in 0..2_000 {
            pipeline.hset(format!("index:{number}"), field, "position").ignore();
        }
        let () = pipeline.exec_async(&mut connection).await.context("the large keys can't be written")?;
    }
    Ok(server)
}

/// Starts a server that holds `keys` small strings in ten namespaces.
pub(crate) async fn start_many(keys: u64) -> Result<RedisServer> {
    let config = vec![("enable-debug-command".to_owned(), "local".to_owned())];
    let server = RedisServer::start(RedisOptions { config, ..RedisOptions::default() }).await?;
    let mut connection = server.connection().await?;
    connection.set_response_timeout(std::time::Duration::from_secs(120));
    for name in ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet"]
    {
        let populate = redis::cmd("DEBUG").arg("POPULATE").arg(keys / 10).arg(name).arg(16).clone();
        let () = populate.exec_async(&mut connection).await.context("the keys can't be made")?;
    }
    Ok(server)
}

fn text(length: usize) -> Vec<u8> {
    vec![b'v'; length]
}

fn session(pipeline: &mut Pipeline, number: u64, numbers: &mut Numbers) {
    let value = text(numbers.between(200, 600) as usize);
    pipeline.set_ex(format!("session:{number:x}"), value, numbers.between(600, 86_400)).ignore();
}

/// Small hashes, one in ten beyond a listpack because of a long field.
fn profile(pipeline: &mut Pipeline, number: u64, numbers: &mut Numbers) {
    let key = format!("tenant:{}:profile:{number}", number % 97);
    let long = numbers.between(0, 9) == 0;
    let about = text(if long { numbers.between(65, 900) as usize } else { numbers.between(1, 64) as usize });
    let fields: [(&str, Vec<u8>); 5] =
        [("name", text(12)), ("mail", text(24)), ("language", text(2)), ("plan", text(6)), ("about", about)];
    pipeline.hset_multiple(&key, &fields).ignore();
    pipeline.expire(&key, numbers.between(3_600, 7_200) as i64).ignore();
}

fn product(pipeline: &mut Pipeline, number: u64, numbers: &mut Numbers) {
    let value = text(numbers.lognormal(300.0, 1.0));
    pipeline.set_ex(format!("product:{number}:v2"), value, numbers.between(60, 3_600)).ignore();
}

fn rate(pipeline: &mut Pipeline, number: u64, numbers: &mut Numbers) {
    let key = format!("rate:10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
    pipeline.set_ex(key, numbers.between(1, 5_000), 3_600).ignore();
}

fn cart(pipeline: &mut Pipeline, number: u64, numbers: &mut Numbers) {
    let items: Vec<Vec<u8>> = (0..numbers.between(1, 12)).map(|_| text(20)).collect();
    pipeline.rpush(format!("cart:{number}"), items).ignore();
}

fn feed(pipeline: &mut Pipeline, number: u64, numbers: &mut Numbers) {
    let entries: Vec<(u64, u64)> =
        (0..numbers.between(5, 40)).map(|place| (place, numbers.between(1, 1 << 40))).collect();
    pipeline.zadd_multiple(format!("feed:{number}"), &entries).ignore();
}

fn tags(pipeline: &mut Pipeline, number: u64, numbers: &mut Numbers) {
    let members: Vec<String> =
        (0..numbers.between(2, 12)).map(|_| format!("tag-{}", numbers.between(0, 9_999))).collect();
    pipeline.sadd(format!("tags:{number}"), members).ignore();
}

/// Sizes with a long tail.
fn report(pipeline: &mut Pipeline, number: u64, numbers: &mut Numbers) {
    let value = text(numbers.lognormal(500.0, 1.5));
    pipeline.set_ex(format!("report:daily:{number}"), value, 90_000).ignore();
}

/// One in twenty is large.
fn page(pipeline: &mut Pipeline, number: u64, numbers: &mut Numbers) {
    let length = if numbers.between(1, 20) == 1 { 20_000 } else { 800 };
    pipeline.set_ex(format!("page:/articles/{number}"), text(length), 300 + number % 60).ignore();
}
