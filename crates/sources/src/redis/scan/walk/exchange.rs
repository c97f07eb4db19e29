//! What goes over the connection of a walk: requests are sent and replies read, under one hold of the gate.

use std::time::{Duration, Instant};

use cachescope_model::observation::{Observation, Observed};
use tokio::sync::mpsc::error::TrySendError;

use super::super::pace::Step as Paced;
use super::super::request::{Ask, Request};
use super::{SAMPLES_WHEN_EXACT, SAMPLES_WHEN_SAMPLED, Walk, before_slot_tables, keeps_slot_tables};
use crate::error::SourceError;
use crate::redis::node::Gate;
use crate::redis::raw::RawConnection;

/// How long the gate is held at most before INFO may have its turn.
const HOLD: Duration = Duration::from_millis(100);
/// Requests under way at once where the server is kept busy.
const IN_FLIGHT: usize = 8;

impl Walk<'_> {
    /// Sends and reads under one hold of the gate. Returns how long it took and what it was.
    pub(super) async fn exchange(&mut self) -> Result<(Paced, Duration, usize), SourceError> {
        let node = self.node;
        let mut gate = node.gate().await;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = gate.connect_raw().await?;
                let hello = connection.hello();
                // Newer servers keep a table a slot in cluster mode and scan one after the other. One that
                // doesn't say what it is may do the same.
                let older = hello.server == "redis" && before_slot_tables(&hello.version);
                self.by_hash =
                    self.tables && (hello.mode == "standalone" || hello.mode == "cluster" && older);
                let by_slot = self.tables && hello.mode == "cluster" && keeps_slot_tables(hello);
                if by_slot && self.precise() && !self.segmented && self.keys_met() == 0 {
                    self.go_by_segments();
                }
                connection
            }
        };
        if self.pace.wants_probe() {
            let began = Instant::now();
            Request::probe(&mut gate, &mut connection).await?;
            self.pace.probed(began.elapsed());
        }
        let began = Instant::now();
        let mut work = 0;
        let mut paced = Paced::Walk;
        self.send_ready(&mut gate, &mut connection, 1).await?;
        while let Some(mut request) = self.in_flight.pop_front() {
            work += request.asks.len();
            if request.asks.iter().any(|(_, ask)| *ask == Ask::WeighAll) {
                paced = Paced::WeighAll;
            } else if !request.asks.is_empty() && matches!(paced, Paced::Walk) {
                paced = Paced::Weigh;
            }
            if request.scan.is_some() {
                work += self.count;
                match request.read_step(&mut gate, &mut connection).await {
                    Ok(step) => self.take_step(request.place, step),
                    Err(error) => return Err(self.broke(&mut gate, request, error)),
                }
                self.keep_busy(&mut gate, &mut connection, began).await?;
            }
            let missed = match request.read_asks(&mut gate, &mut connection, &mut self.refused).await {
                Ok(missed) => missed,
                Err(error) => return Err(self.broke(&mut gate, request, error)),
            };
            let database = self.databases[request.place].number;
            self.finished.extend(missed.into_iter().map(|key| Observed::OwnMiss { database, key }));
            self.take_answers(request);
            self.keep_busy(&mut gate, &mut connection, began).await?;
        }
        self.connection = Some(connection);
        Ok((paced, began.elapsed(), work))
    }

    /// Keeps what was under way when a connection broke, to be asked again.
    fn broke(&mut self, gate: &mut Gate<'_>, request: Request, error: SourceError) -> SourceError {
        request.uncount(gate);
        for request in &self.in_flight {
            request.uncount(gate);
        }
        self.in_flight.push_front(request);
        error
    }

    /// Where nobody else is served, the next requests are sent before the replies to the last are read.
    async fn keep_busy(
        &mut self,
        gate: &mut Gate<'_>,
        connection: &mut RawConnection,
        began: Instant,
    ) -> Result<(), SourceError> {
        if !self.options.unthrottled {
            return Ok(());
        }
        while let Some(what) = self.finished.pop_front() {
            let (at, node) = (self.context.clock.now(), self.context.node.clone());
            if let Err(TrySendError::Full(back) | TrySendError::Closed(back)) =
                self.context.sink.try_send(Observation { at, node, what })
            {
                self.finished.push_front(back.what);
                return Ok(());
            }
        }
        self.look_whether_enough();
        if began.elapsed() < HOLD && !self.context.cancel.is_cancelled() {
            self.send_ready(gate, connection, IN_FLIGHT).await?;
        }
        Ok(())
    }

    async fn send_ready(
        &mut self,
        gate: &mut Gate<'_>,
        connection: &mut RawConnection,
        in_flight: usize,
    ) -> Result<(), SourceError> {
        while self.in_flight.len() < in_flight {
            let Some(request) = self.ready.pop_front() else { break };
            let database = self.databases[request.place].number;
            if database != connection.database() {
                if !self.in_flight.is_empty() {
                    self.ready.push_front(request);
                    break;
                }
                if let Err(error) = connection.select(database, gate.commands()).await {
                    self.ready.push_front(request);
                    return Err(error);
                }
            }
            let samples = if self.exact() { SAMPLES_WHEN_EXACT } else { SAMPLES_WHEN_SAMPLED };
            let sent = request.send(gate, connection, self.count, samples).await;
            if let Err(error) = sent {
                return Err(self.broke(gate, request, error));
            }
            self.in_flight.push_back(request);
        }
        Ok(())
    }
}
