//! What the benches of purges and of copies share: keys, the command, and what other clients feel while it is throttled.

#[path = "../scanning/clients.rs"]
mod clients;

use std::time::Duration;

use anyhow::Result;
use cachescope_tests::{linux, programs};
use clients::{Clients, p99};
use redis::aio::MultiplexedConnection;
use tokio::process::Command;

/// Keys of a throttled run: it shall be long enough to be felt, not long.
pub(crate) const FELT_KEYS: u64 = 60_000;
/// What others may feel, as a multiple of what they felt before.
pub(crate) const FELT: f64 = 1.5;
/// For how long they are listened to before.
const BEFORE: Duration = Duration::from_secs(5);

/// The command; throttled, as on another machine than the servers and their clients.
pub(crate) fn command(throttled: bool) -> Result<Command> {
    let program = programs::cachescope()?;
    Ok(if throttled { linux::on_a_machine_of_its_own(&program).into() } else { Command::new(program) })
}

/// Empties a server and gives it so many keys.
pub(crate) async fn fill(
    connection: &mut MultiplexedConnection,
    keys: u64,
    value: impl Fn(u64) -> String,
) -> Result<()> {
    redis::cmd("FLUSHALL").query_async::<()>(connection).await?;
    for from in (0..keys).step_by(5_000) {
        let mut pipe = redis::pipe();
        for number in from..(from + 5_000).min(keys) {
            pipe.cmd("SET").arg(format!("bench:{number}")).arg(value(number)).arg("EX").arg(36_000).ignore();
        }
        pipe.query_async::<()>(connection).await?;
    }
    Ok(())
}

/// What clients of some servers felt before a run.
pub(crate) struct Before {
    ports: Vec<u16>,
    p99s: Vec<Duration>,
}

impl Before {
    /// Listens to clients of the servers at these ports, all at the same time.
    pub(crate) async fn listen(ports: &[u16]) -> Result<Self> {
        let clients = start(ports)?;
        tokio::time::sleep(BEFORE).await;
        Ok(Self { ports: ports.to_vec(), p99s: end(clients)? })
    }

    /// Listens to as many during a run, which tells how long it took; what was felt at each of the ports.
    pub(crate) async fn during(self, run: impl Future<Output = Result<Duration>>) -> Result<Vec<Felt>> {
        let clients = start(&self.ports)?;
        let run = run.await?;
        let felt = self.p99s.into_iter().zip(end(clients)?);
        Ok(felt.map(|(before, during)| Felt { before, during, run }).collect())
    }
}

fn start(ports: &[u16]) -> Result<Vec<Clients>> {
    ports.iter().map(|port| Clients::start(*port)).collect()
}

fn end(clients: Vec<Clients>) -> Result<Vec<Duration>> {
    clients.into_iter().map(|clients| p99(&clients.end()?)).collect()
}

/// What clients felt before a throttled run and during it.
pub(crate) struct Felt {
    before: Duration,
    during: Duration,
    run: Duration,
}

impl Felt {
    pub(crate) fn ratio(&self) -> f64 {
        self.during.as_secs_f64() / self.before.as_secs_f64()
    }

    /// Whether it is past the limit, and past what those feel to whom nothing is done.
    pub(crate) fn is_too_much(&self, floor: &Self) -> bool {
        self.ratio() > floor.ratio().max(FELT)
    }

    pub(crate) fn said(&self) -> String {
        format!(
            "{:.0} µs, {:.0} µs before; ratio {:.2}; {FELT_KEYS} keys in {:.1} s, {:.0} a second",
            self.during.as_secs_f64() * 1e6,
            self.before.as_secs_f64() * 1e6,
            self.ratio(),
            self.run.as_secs_f64(),
            FELT_KEYS as f64 / self.run.as_secs_f64(),
        )
    }
}
