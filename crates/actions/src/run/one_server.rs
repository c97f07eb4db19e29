//! One server's part of a step: its logical databases, their pages, and what is done with each page's keys.
//!
//! Pages are worked on ahead of each other, so that one is looked for while another is read, a third waits for the disk
//! and a fourth is removed; a place to go on from is noted when everything before it is done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::ActingConnection;
use futures::StreamExt as _;
use futures::future::{BoxFuture, OptionFuture, join_all};
use futures::stream::FuturesOrdered;
use tokio::sync::Mutex;

use super::driver::{Driver, restarted};
use super::ending::{Ended, Stop};
use super::filling::Filling;
use super::removal::{Outcome, Removal, ended};
use super::soften::soften;
use super::turns::{Lines, Turns};
use super::warming::refreshed_at_once;
use crate::failure::{Failure, FailureKind};
use crate::feed::{Feed, Page};
use crate::pace::Work;
use crate::plan::{Action, HowToRun};
use crate::preview::{databases, existing};
use crate::run_state::NodeProgress;
use crate::selection::Selection;
use crate::servers::Server;
use crate::stretch::Stretch;
use crate::undo::UndoWriter;

/// Pages that are worked on at once.
const PAGES: usize = 3;
/// Keys that one page has, where nobody has to be spared.
const PAGE: usize = 2_000;
/// The same with undo: what is being worked on fits the connections.
const PAGE_KEPT: usize = 1_024;
/// For how long a page is looked for, at most: what was gone through is noted now and then.
const LOOKED_FOR: Duration = Duration::from_millis(200);
/// Connections with undo, each of which watches keys from when they are read until they are removed; without undo.
const LINES: usize = 16;
const LINES_SPARING: usize = 8;
const LINES_WITHOUT_UNDO: usize = 2;
/// Keys that one connection watches at most: the server goes through all of them for each further one.
const MOST_WATCHED: usize = 64;
/// How often a server that broke off is asked again, and how far apart.
const ATTEMPTS: u32 = 4;
const APART: Duration = Duration::from_millis(500);

pub(super) struct OneServer<'d> {
    driver: &'d Driver,
    server: Server,
    step: usize,
    action: &'d Action,
    selection: &'d Selection,
    how: HowToRun,
    turns: Turns<'d>,
    lines: Lines,
    /// What loads again what a refresh takes away.
    filling: Mutex<Option<Box<Filling>>>,
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
        let lines = match (how.undo, how.throttle) {
            (true, false) => LINES,
            (true, true) => LINES_SPARING,
            (false, _) => LINES_WITHOUT_UNDO,
        };
        let lines = Lines::new(&server.node, lines);
        let turns = Turns::all_at_once(driver);
        Self { driver, server, step, action, selection, how, turns, lines, filling: Mutex::default() }
    }

    pub(super) async fn run(mut self) -> Result<(), Ended> {
        if self.how.throttle {
            let felt = self.driver.felt(&self.server).await?;
            self.turns = Turns::sparing(self.driver, felt);
        }
        for database in databases(&self.server, self.selection) {
            let name = format!("{}/{}/{database}", self.step, self.server.name);
            let begun = {
                let record = self.driver.shared.record.lock();
                if record.ended.contains(&name) {
                    continue;
                }
                record.places.get(&name).cloned()
            };
            let places = begun.unwrap_or_else(|| self.places(database));
            self.database(database, name, Feed::from(database, places)).await?;
        }
        Ok(())
    }

    /// Where a database is begun: at several places where its keys are watched and such a walk is known to meet them all.
    fn places(&self, database: u16) -> Vec<Stretch> {
        let keys = self.server.databases.get(&database).copied().unwrap_or(0);
        let watched = self.how.undo && self.action.softens().is_none() && self.selection.named().is_none();
        if watched && self.server.walks_one_table { Stretch::parts(keys) } else { vec![Stretch::WHOLE] }
    }

    async fn database(&self, database: u16, name: String, feed: Feed) -> Result<(), Ended> {
        let reader = Reader::new(self, feed);
        let mut looking: Option<BoxFuture<'_, _>> = Some(Box::pin(reader.next()));
        let mut working: FuturesOrdered<BoxFuture<'_, _>> = FuturesOrdered::new();
        let mut end = Ok(());
        // All of them to their end: one that can't go on ends the run, which the others hear of.
        loop {
            let room = working.len() < self.pages_at_once();
            tokio::select! {
                Some((page, reader)) = OptionFuture::from(looking.as_mut()), if room => match page {
                    Ok(page) => {
                        looking = (!page.last).then(|| Box::pin(reader.next()) as _);
                        working.push_back(Box::pin(self.page(database, page)));
                    }
                    Err(ended) => {
                        looking = None;
                        end = Err(ended);
                    }
                },
                Some(done) = working.next() => match done {
                    // Behind a page that was not done to its end there is no place to go on from.
                    Ok(done) if end.is_ok() => self.note_place(&name, &done),
                    Ok(_) => {}
                    Err(ended) => {
                        looking = None;
                        end = Err(ended);
                    }
                },
                else => return end,
            }
        }
    }

    fn note_place(&self, name: &str, done: &Done) {
        let mut record = self.driver.shared.record.lock();
        record.state.counts.scanned += done.examined;
        if done.last {
            record.places.remove(name);
            record.ended.push(name.to_owned());
        } else {
            record.places.insert(name.to_owned(), done.after.clone());
        }
    }

    /// What is loaded again is loaded in order.
    fn pages_at_once(&self) -> usize {
        if matches!(self.action, Action::Refresh { .. }) { 1 } else { PAGES }
    }

    /// Keys of a page.
    fn page_keys(&self) -> usize {
        match (self.how.throttle, self.how.undo) {
            (false, false) => PAGE,
            (false, true) => PAGE_KEPT,
            (true, _) => self.group_keys() * LINES_SPARING / 2,
        }
    }

    /// Keys that are removed by one exchange.
    fn group_keys(&self) -> usize {
        let most = if self.how.undo && self.action.softens().is_none() { MOST_WATCHED } else { PAGE };
        self.turns.keys(Work::Change).min(most)
    }

    async fn page(&self, database: u16, found: Found) -> Result<Done, Ended> {
        let Found { mut keys, examined, last, after } = found;
        if !self.how.protected_too {
            let before = keys.len();
            keys.retain(|key| !self.driver.context.attribution.is_protected(database, key));
            self.driver.shared.record.lock().state.counts.protected += (before - keys.len()) as u64;
        }
        let driver = self.driver;
        let mut failures = 0;
        while !keys.is_empty() {
            driver.ending.check()?;
            let reserved = driver.reserve(keys.len().min(refreshed_at_once(self.action)));
            if reserved.keys == 0 {
                drop(reserved);
                driver.watch_between_waves().await?;
                continue;
            }
            let now = keys.split_off(keys.len() - reserved.keys);
            let refreshed = matches!(self.action, Action::Refresh { .. }).then(|| now.clone());
            let failed = self.groups(database, now).await;
            drop(reserved);
            driver.ending.check()?;
            match failed {
                None => {
                    failures = 0;
                    if let (Action::Refresh { warm, .. }, Some(keys)) = (self.action, refreshed) {
                        let mut filling = self.filling.lock().await;
                        Box::pin(driver.refill(&mut filling, warm, database, keys)).await?;
                    }
                }
                Some((failure, left)) => {
                    failures += 1;
                    self.lines.disconnect();
                    if failures >= ATTEMPTS || failure.kind != FailureKind::Server {
                        return Err(driver.ending.because(Stop::Failed(failure)));
                    }
                    again(driver, &self.server, failure).await?;
                    keys.extend(left);
                }
            }
        }
        Ok(Done { examined, last, after })
    }

    /// Works on keys; gives back those of the groups that failed, with the first failure.
    async fn groups(&self, database: u16, keys: Vec<Vec<u8>>) -> Option<(Failure, Vec<Vec<u8>>)> {
        let groups = keys.chunks(self.group_keys()).map(|keys| async move {
            let failed = self.group(database, keys).await.err();
            failed.map(|failure| (failure, keys))
        });
        // All of them to their end: what one has removed counts, whatever becomes of another.
        let mut all = join_all(groups).await.into_iter().flatten();
        let (failure, keys) = all.next()?;
        let mut left = keys.to_vec();
        all.for_each(|(_, keys)| left.extend_from_slice(keys));
        Some((failure, left))
    }

    async fn group(&self, database: u16, keys: &[Vec<u8>]) -> Result<(), Failure> {
        let mut line = self.driver.ending.or(self.lines.take()).await.map_err(ended)?;
        let mut outcome = Outcome::default();
        let done = if let Some((ttl_ms, jitter_ms)) = self.action.softens() {
            let softened =
                soften(&mut line.connection, &self.turns, database, keys, (ttl_ms, jitter_ms)).await;
            softened.map(|softened| outcome = softened)
        } else {
            let context = &self.driver.context;
            let mut removal = Removal {
                connection: &mut line.connection,
                turns: &self.turns,
                database,
                cluster: context.servers.cluster,
                undo: if self.how.undo { context.undo.as_ref() } else { None },
                most_bytes_of_a_key: context.most_bytes_of_a_key,
                tells_expiry: self.server.version >= (7, 0),
                ending: &self.driver.ending,
                values: &self.driver.values,
                full: &self.driver.full,
                in_doubt: &self.driver.in_doubt,
            };
            removal.remove(keys, &mut outcome).await
        };
        // Counted as soon as it is done: a run that ends meanwhile ends with what was.
        self.counted(outcome);
        if done.is_err() {
            line.connection.disconnect();
        }
        done
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

/// Keys of some scans, and where the next ones go on.
struct Found {
    keys: Vec<Vec<u8>>,
    examined: u64,
    last: bool,
    after: Vec<Stretch>,
}

/// A page that was worked on to its end.
struct Done {
    examined: u64,
    last: bool,
    after: Vec<Stretch>,
}

/// Reads the pages of one logical database, on a connection of its own.
struct Reader<'o> {
    of: &'o OneServer<'o>,
    connection: ActingConnection,
    feed: Feed,
}

impl<'o> Reader<'o> {
    fn new(of: &'o OneServer<'_>, feed: Feed) -> Self {
        Self { of, connection: ActingConnection::new(Arc::clone(&of.server.node)), feed }
    }

    /// The next page, of as many scans as it takes, and the reader of those behind it.
    async fn next(mut self) -> (Result<Found, Ended>, Self) {
        let (began, wanted) = (Instant::now(), self.of.page_keys());
        let mut found = Found { keys: Vec::new(), examined: 0, last: false, after: Vec::new() };
        while found.keys.len() < wanted && !found.last && began.elapsed() < LOOKED_FOR {
            match self.some(wanted - found.keys.len()).await {
                Ok(more) => {
                    found.keys.extend(more.keys);
                    found.examined += more.examined;
                    found.last = more.last;
                }
                Err(ended) => return (Err(ended), self),
            }
        }
        found.after = self.feed.stretches.iter().copied().collect();
        (Ok(found), self)
    }

    async fn some(&mut self, wanted: usize) -> Result<Page, Ended> {
        let driver = self.of.driver;
        loop {
            match driver.ending.or(self.ask(wanted)).await? {
                Ok(page) => return Ok(page),
                Err(failure) => {
                    driver.ending.check()?;
                    again(driver, &self.of.server, failure).await?;
                }
            }
        }
    }

    async fn ask(&mut self, wanted: usize) -> Result<Page, Failure> {
        let OneServer { turns, selection, how, .. } = self.of;
        let count = if how.throttle { turns.keys(Work::Scan) } else { self.of.page_keys() };
        let turn = turns.take().await.map_err(ended)?;
        if selection.named().is_none() {
            let page = self.feed.next(&mut self.connection, selection, count).await?;
            turn.took(Work::Scan, count, 0, page.took);
            return Ok(page);
        }
        // Named keys are there already; which of them exist is asked.
        let count = turns.keys(Work::Weigh).min(wanted);
        let mut page = self.feed.next(&mut self.connection, selection, count).await?;
        let asked = Instant::now();
        page.keys = existing(&mut self.connection, self.feed.database, page.keys).await?;
        turn.took(Work::Weigh, count, 0, asked.elapsed());
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
