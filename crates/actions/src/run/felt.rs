//! What other clients feel: round trips of PING, made while nothing of ours is under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::ActingConnection;
use redis::Pipeline;

use crate::failure::Failure;
use crate::pace::percentile;
use crate::servers::Server;

/// How many make a baseline, and how far apart.
const BASELINE: usize = 60;
const APART: Duration = Duration::from_millis(8);
/// How often one is made during a run.
const EVERY: Duration = Duration::from_millis(10);

pub(crate) struct Felt {
    connection: ActingConnection,
    last: Instant,
}

impl Felt {
    pub(crate) fn new(server: &Server) -> Self {
        Self { connection: ActingConnection::new(Arc::clone(&server.node)), last: Instant::now() }
    }

    /// The 99th percentile before anything is done.
    pub(crate) async fn baseline(&mut self) -> Result<Duration, Failure> {
        let mut samples = Vec::with_capacity(BASELINE);
        // The first one connects.
        self.ping().await?;
        for _ in 0..BASELINE {
            samples.push(self.ping().await?);
            tokio::time::sleep(APART).await;
        }
        Ok(percentile(samples.into_iter(), 0.99).unwrap_or(Duration::ZERO))
    }

    /// One more, where it is time.
    pub(crate) async fn now(&mut self) -> Result<Option<Duration>, Failure> {
        if self.last.elapsed() < EVERY {
            return Ok(None);
        }
        let took = self.ping().await?;
        self.last = Instant::now();
        Ok(Some(took))
    }

    async fn ping(&mut self) -> Result<Duration, Failure> {
        let mut ping = Pipeline::new();
        ping.cmd("PING");
        Ok(self.connection.ask_without_lookups(0, &ping).await?.round_trip)
    }
}
