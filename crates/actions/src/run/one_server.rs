//! One server's part of a step: its logical databases, their pages, and what is done with each page's keys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::ActingConnection;
use futures::future::join_all;

use super::driver::{Driver, restarted};
use super::ending::{Ended, Stop};
use super::felt::Felt;
use super::filling::Filling;
use super::removal::{Outcome, Removal};
use super::soften::soften;
use super::warming::refreshed_at_once;
use crate::failure::{Failure, FailureKind};
use crate::feed::{Feed, Page};
use crate::pace::Pace;
use crate::plan::{Action, HowToRun};
use crate::preview::{databases, existing};
use crate::run_state::NodeProgress;
use crate::selection::Selection;
use crate::servers::Server;
use crate::undo::UndoWriter;

/// Connections that work beside each other where nobody has to be spared: while one waits for the disk, another
/// reads.
const BESIDE_EACH_OTHER: usize = 3;
/// How often a server that broke off is asked again, and how far apart.
const ATTEMPTS: u32 = 4;
const APART: Duration = Duration::from_millis(500);
/// Keys that a page of a scan has at least.
const SMALLEST_PAGE: usize = 64;

pub(super) struct OneServer<'d> {
    driver: &'d Driver,
    server: Server,
    step: usize,
    action: &'d Action,
    selection: &'d Selection,
    how: HowToRun,
    pace: Pace,
    felt: Option<Arc<Felt>>,
    connections: Vec<ActingConnection>,
    /// What loads again what a refresh takes away.
    filling: Option<Box<Filling>>,
}

impl<'d> OneServer<'d> {
    pub(super) fn new(
        driver: &'d Driver,
        server: Server,
        step: usize,
        action: &'d Action,
        selection: &'d Selection,
    ) -> Self {
        let how = driver.shared.record.lock().state.plan.how.clone();
        let beside = if how.throttle || !how.undo { 1 } else { BESIDE_EACH_OTHER };
        let connections = (0..beside).map(|_| ActingConnection::new(Arc::clone(&server.node))).collect();
        let pace = Pace::new(how.throttle, None);
        Self { driver, server, step, action, selection, how, pace, felt: None, connections, filling: None }
    }

    pub(super) async fn run(mut self) -> Result<(), Ended> {
        if self.how.throttle {
            let felt = self.driver.felt(&self.server).await?;
            self.pace = Pace::new(true, Some(felt.baseline()));
            self.felt = Some(felt);
        }
        for database in databases(&self.server, self.selection) {
            let name = format!("{}/{}/{database}", self.step, self.server.name);
            let cursor = {
                let record = self.driver.shared.record.lock();
                if record.ended.contains(&name) {
                    continue;
                }
                record.cursors.get(&name).copied().unwrap_or(0)
            };
            let count = self.page_keys();
            let mut reader = Reader::new(&self, Feed::new(database, cursor));
            let mut next = Some(reader.next(count).await?);
            while let Some(Page { keys, examined, last }) = next.take() {
                let after = reader.feed.cursor;
                if last {
                    self.page(database, keys).await?;
                } else if self.how.throttle {
                    self.page(database, keys).await?;
                    next = Some(reader.next(self.page_keys()).await?);
                } else {
                    // Where nobody has to be spared, the next page is read while this one is worked on.
                    let (worked, read) = tokio::join!(self.page(database, keys), reader.next(count));
                    worked?;
                    next = Some(read?);
                }
                let mut record = self.driver.shared.record.lock();
                record.state.counts.scanned += examined;
                if last {
                    record.cursors.remove(&name);
                    record.ended.push(name.clone());
                } else {
                    record.cursors.insert(name.clone(), after);
                }
            }
        }
        Ok(())
    }

    /// Keys of a page: as many as all connections take at once.
    fn page_keys(&self) -> usize {
        (self.pace.keys() * self.connections.len()).max(SMALLEST_PAGE)
    }

    async fn page(&mut self, database: u16, mut keys: Vec<Vec<u8>>) -> Result<(), Ended> {
        if !self.how.protected_too {
            let before = keys.len();
            keys.retain(|key| !self.driver.context.attribution.is_protected(database, key));
            self.driver.shared.record.lock().state.counts.protected += (before - keys.len()) as u64;
        }
        let mut failures = 0;
        while !keys.is_empty() {
            let chunk = self.pace.keys();
            let at_once = refreshed_at_once(self.action);
            let wanted = keys.len().min(chunk * self.connections.len()).min(at_once);
            let driver = self.driver;
            let floor = driver.floor().await?;
            let reserved = driver.reserve(wanted);
            if reserved.keys == 0 {
                drop((reserved, floor));
                driver.watch_between_waves().await?;
                continue;
            }
            let now = keys.split_off(keys.len() - reserved.keys);
            let (outcome, failed) = self.exchange(database, &now, chunk).await;
            self.counted(outcome);
            drop((reserved, floor));
            driver.ending.check()?;
            match failed {
                None => {
                    failures = 0;
                    if let Action::Refresh { warm, .. } = self.action {
                        Box::pin(driver.refill(&mut self.filling, warm, database, now)).await?;
                    }
                    self.pace.steer(Instant::now(), |span| self.felt.as_ref()?.p99(span));
                    let rest = self.pace.exchanged(outcome.longest);
                    if !rest.is_zero() {
                        driver.ending.or(tokio::time::sleep(rest)).await?;
                    }
                }
                Some(failure) => {
                    failures += 1;
                    self.connections.iter_mut().for_each(ActingConnection::disconnect);
                    if failures >= ATTEMPTS || failure.kind != FailureKind::Server {
                        return Err(driver.ending.because(Stop::Failed(failure)));
                    }
                    again(driver, &self.server, failure).await?;
                    keys.extend(now);
                }
            }
        }
        Ok(())
    }

    async fn exchange(
        &mut self,
        database: u16,
        keys: &[Vec<u8>],
        chunk: usize,
    ) -> (Outcome, Option<Failure>) {
        if let Some((ttl_ms, jitter_ms)) = self.action.softens() {
            let Some(connection) = self.connections.first_mut() else { return (Outcome::default(), None) };
            return match soften(connection, database, keys, ttl_ms, jitter_ms).await {
                Ok(outcome) => (outcome, None),
                Err(failure) => (Outcome::default(), Some(failure)),
            };
        }
        let context = &self.driver.context;
        let removals = keys.chunks(chunk).zip(self.connections.iter_mut()).map(|(keys, connection)| {
            let mut removal = Removal {
                connection,
                database,
                cluster: context.servers.cluster,
                undo: if self.how.undo { context.undo.as_ref() } else { None },
                most_bytes_of_a_key: context.most_bytes_of_a_key,
                tells_expiry: self.server.version >= (7, 0),
                ending: &self.driver.ending,
                values: &self.driver.values,
                in_doubt: &self.driver.in_doubt,
            };
            let keys = keys.to_vec();
            async move {
                let mut outcome = Outcome::default();
                let removed = removal.remove(keys, &mut outcome).await;
                (outcome, removed)
            }
        });
        // All of them to their end: what one has removed counts, whatever becomes of another.
        let (mut sum, mut failed) = (Outcome::default(), None);
        for (outcome, removed) in join_all(removals).await {
            sum.add(outcome);
            failed = failed.or(removed.err());
        }
        (sum, failed)
    }

    fn counted(&self, outcome: Outcome) {
        let undo_bytes = self.driver.context.undo.as_ref().map(UndoWriter::bytes);
        let mut record = self.driver.shared.record.lock();
        let state = &mut record.state;
        state.counts.removed += outcome.removed;
        state.counts.gone += outcome.gone;
        state.counts.too_large += outcome.too_large;
        state.counts.contended += outcome.contended;
        state.counts.moved += outcome.moved;
        if state.undo.is_some() {
            state.undo_bytes = undo_bytes.unwrap_or(state.undo_bytes);
        }
        match state.nodes.iter_mut().find(|node| node.node == self.server.name) {
            Some(node) => node.removed += outcome.removed,
            None => state.nodes.push(NodeProgress {
                node: self.server.name.clone(),
                expected: 0,
                removed: outcome.removed,
            }),
        }
    }
}

/// Reads the pages of one logical database, on a connection of its own.
struct Reader<'d> {
    driver: &'d Driver,
    server: Server,
    selection: &'d Selection,
    connection: ActingConnection,
    feed: Feed,
}

impl<'d> Reader<'d> {
    fn new(of: &OneServer<'d>, feed: Feed) -> Self {
        let connection = ActingConnection::new(Arc::clone(&of.server.node));
        Self { driver: of.driver, server: of.server.clone(), selection: of.selection, connection, feed }
    }

    async fn next(&mut self, count: usize) -> Result<Page, Ended> {
        loop {
            let before = self.feed.cursor;
            let asked = {
                let _floor = self.driver.floor().await?;
                self.driver.ending.or(self.ask(count)).await?
            };
            match asked {
                Ok(page) => return Ok(page),
                Err(failure) => {
                    self.feed.cursor = before;
                    again(self.driver, &self.server, failure).await?;
                }
            }
        }
    }

    async fn ask(&mut self, count: usize) -> Result<Page, Failure> {
        let mut page = self.feed.next(&mut self.connection, self.selection, count).await?;
        if self.selection.named().is_some() {
            page.keys = existing(&mut self.connection, self.feed.database, page.keys).await?;
        }
        Ok(page)
    }
}

/// A server broke off or refused: goes on where it is the same as before, and gives up where it is not.
async fn again(driver: &Driver, server: &Server, failure: Failure) -> Result<(), Ended> {
    tracing::info!(server = server.name, %failure, "a run's exchange failed");
    let ending = &driver.ending;
    for _ in 0..ATTEMPTS {
        match ending.or(Server::inspect(&server.node)).await? {
            Ok(now) if now.run_id == server.run_id => return Ok(()),
            Ok(_) => return Err(ending.because(Stop::Failed(restarted(&server.name)))),
            Err(other) if other.kind == FailureKind::Refused => {
                return Err(ending.because(Stop::Failed(other)));
            }
            Err(_) => ending.or(tokio::time::sleep(APART)).await?,
        }
    }
    Err(ending.because(Stop::Failed(failure)))
}
