//! Other clients of the server: lookups at a fixed rate, and how long they take.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Clients, each with a connection and a thread of its own.
const CLIENTS: u32 = 4;
/// Lookups a second of each.
const PER_SECOND: u32 = 500;

/// Clients at work.
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Vec<Duration>>>>,
}

impl Clients {
    /// Connects and begins.
    pub(crate) fn start(port: u16) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for client in 0..CLIENTS {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            let stop = Arc::clone(&stop);
            threads.push(std::thread::spawn(move || lookups(stream, client, &stop)));
        }
        Ok(Self { stop, threads })
    }

    /// Stops and gives how long every lookup took, sorted.
    pub(crate) fn end(self) -> Result<Vec<Duration>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut took = Vec::new();
        for thread in self.threads {
            match thread.join() {
                Ok(times) => took.extend(times?),
                Err(_) => bail!("a client panicked"),
            }
        }
        took.sort();
        Ok(took)
    }
}

/// One client. A lookup whose time comes while the one before it is still under way counts from its time on,
/// because whoever waited for it would; that a thread was woken late counts for nothing.
fn lookups(stream: TcpStream, client: u32, stop: &AtomicBool) -> Result<Vec<Duration>> {
    let mut replies = BufReader::new(stream.try_clone()?);
    let mut requests = stream;
    let pause = Duration::from_secs(1) / PER_SECOND;
    let mut due = Instant::now() + pause * client / CLIENTS;
    let mut took = Vec::new();
    let (mut line, mut number) = (Vec::new(), u64::from(client));
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        let from = if now < due {
            std::thread::sleep(due - now);
            Instant::now()
        } else {
            due
        };
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let key = format!("rate:10.0.{}.{}", number >> 40 & 127, number >> 33 & 255);
        requests.write_all(format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()).as_bytes())?;
        line.clear();
        replies.read_until(b'\n', &mut line)?;
        if line.starts_with(b"$") && !line.starts_with(b"$-1") {
            replies.read_until(b'\n', &mut line)?;
        } else if !line.starts_with(b"$-1") {
            bail!("a lookup was answered with {}", String::from_utf8_lossy(&line).trim());
        }
        took.push(from.elapsed());
        due += pause;
    }
    Ok(took)
}

/// What 99 in a hundred don't exceed.
pub(crate) fn p99(sorted: &[Duration]) -> Result<Duration> {
    sorted.get(sorted.len() * 99 / 100).copied().context("there were no lookups")
}
