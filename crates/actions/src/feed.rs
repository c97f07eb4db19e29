//! The keys of a scope at one server and in one logical database, page by page.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cachescope_sources::redis::acting::{ActingConnection, spelled};
use redis::{Pipeline, Value};

use crate::failure::Failure;
use crate::selection::Selection;
use crate::servers::{Server, Servers};
use crate::stretch::Stretch;

/// Keys that are asked for in one of several stretches: always the same number, so that none goes further over its end
/// than the next one went at first. An answer of fewer would mostly be its frame.
const OF_A_STRETCH: usize = 16;

/// Keys of one page that belong to the scope.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Belonging to the scope by our own verdict.
    pub(crate) keys: Vec<Vec<u8>>,
    /// About how many keys the server examined for it.
    pub(crate) examined: u64,
    /// The page was the last.
    pub(crate) last: bool,
    /// How long the server took for it.
    pub(crate) took: Duration,
}

/// Where the next page begins. It only moves on: keys are removed behind it, and starting anew would walk the
/// emptied buckets again.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) database: u16,
    /// What is left to walk; each page takes some of the first and puts them last.
    pub(crate) stretches: VecDeque<Stretch>,
    /// The keys that were met first in each of several stretches: SCAN does not stop at the end of one, and would
    /// bring them again.
    met_first: Option<HashSet<Vec<u8>>>,
}

impl Feed {
    /// From the beginning.
    pub(crate) fn new(database: u16) -> Self {
        Self::from(database, [Stretch::WHOLE])
    }

    /// From where a walk had come to.
    pub(crate) fn from(database: u16, stretches: impl IntoIterator<Item = Stretch>) -> Self {
        let stretches: VecDeque<_> = stretches.into_iter().collect();
        let met_first = (stretches.len() > 1).then(HashSet::new);
        Self { database, stretches, met_first }
    }

    /// The next page of about `count` keys. After a failure it begins where this one would have begun.
    pub(crate) async fn next(
        &mut self,
        connection: &mut ActingConnection,
        selection: &Selection,
        count: usize,
    ) -> Result<Page, Failure> {
        if let Some(named) = selection.named() {
            return Ok(self.of_named(named, selection, count));
        }
        // A tag is resolved to the keys that it names before anybody asks for pages.
        let Some(pattern) = selection.pattern().filter(|_| !self.stretches.is_empty()) else {
            return Ok(Page { last: true, ..Page::default() });
        };
        let each = if self.met_first.is_some() { OF_A_STRETCH } else { count.max(1) };
        let walked = self.stretches.len().min((count / each).max(1));
        let mut asked = Pipeline::new();
        for stretch in self.stretches.range(..walked) {
            asked.cmd(spelled::SCAN).arg(stretch.cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(each);
        }
        let answer = connection.ask_without_lookups(self.database, &asked).await?;
        let replies = answer.replies.into_iter().map(|reply| read(Some(reply), connection));
        let replies = replies.collect::<Result<Vec<_>, Failure>>()?;
        let mut found = Vec::new();
        for (cursor, keys) in replies {
            let Some(stretch) = self.stretches.pop_front() else { break };
            let first = stretch.begins;
            self.stretches.extend(stretch.after(cursor));
            for key in keys.into_iter().filter(|key| selection.takes(self.database, key)) {
                match &mut self.met_first {
                    Some(met) if first => drop(met.insert(key.clone())),
                    // Another stretch went on over its end.
                    Some(met) if met.contains(&key) => continue,
                    _ => {}
                }
                found.push(key);
            }
        }
        Ok(Page {
            keys: found,
            examined: (walked * each) as u64,
            last: self.stretches.is_empty(),
            took: answer.round_trip,
        })
    }

    fn of_named(&mut self, named: &[Vec<u8>], selection: &Selection, count: usize) -> Page {
        let from = self.stretches.front().map_or(0, |stretch| stretch.cursor);
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(named.len());
        let to = from.saturating_add(count.max(1)).min(named.len());
        self.stretches = VecDeque::from([Stretch::from(to as u64)]);
        let some = named[from..to].iter().filter(|key| selection.takes(self.database, key));
        Page {
            keys: some.cloned().collect(),
            examined: (to - from) as u64,
            last: to == named.len(),
            took: Duration::ZERO,
        }
    }
}

/// All pages of a scope at one server, one logical database after the other.
pub(crate) struct Walk<'s> {
    /// What asks for the pages; between two of them it may be asked about their keys.
    pub(crate) connection: ActingConnection,
    selection: &'s Selection,
    count: usize,
    databases: std::vec::IntoIter<u16>,
    feed: Option<Feed>,
}

impl<'s> Walk<'s> {
    /// Pages of about `count` keys.
    pub(crate) fn new(server: &Server, selection: &'s Selection, count: usize) -> Self {
        Self {
            connection: ActingConnection::new(Arc::clone(&server.node)),
            selection,
            count,
            databases: crate::preview::databases(server, selection).into_iter(),
            feed: None,
        }
    }

    /// The database and the keys of the next page, which may be none; `None` after the last. It does not go on after a
    /// failure.
    pub(crate) async fn next(&mut self) -> Result<Option<(u16, Vec<Vec<u8>>)>, Failure> {
        let begun = self.feed.take().or_else(|| self.databases.next().map(Feed::new));
        let Some(mut feed) = begun else { return Ok(None) };
        let page = feed.next(&mut self.connection, self.selection, self.count).await?;
        let database = feed.database;
        self.feed = Some(feed).filter(|_| !page.last);
        Ok(Some((database, page.keys)))
    }
}

/// Whether any server holds a key of a selection; looks until it meets the first.
pub(crate) async fn any(servers: &Servers, selection: &Selection) -> Result<bool, Failure> {
    const COUNT: usize = 1_000;
    for server in &servers.primaries {
        // As it is now: a database that was empty a moment ago is not among those that were seen then.
        let server = Server::inspect(&server.node).await?;
        let mut walk = Walk::new(&server, selection, COUNT);
        while let Some((_, keys)) = walk.next().await? {
            if !keys.is_empty() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// SCAN's or SSCAN's cursor and keys.
pub(crate) fn read(
    reply: Option<Value>,
    connection: &ActingConnection,
) -> Result<(u64, Vec<Vec<u8>>), Failure> {
    let node = connection.node().name();
    let garbled = || Failure::server(format!("{node} answers a scan with something else"), "");
    match reply {
        Some(Value::ServerError(error)) => Err(Failure::server(
            format!("{node} refuses to scan: {}", said(&error)),
            "let the user run SCAN and, for tags, SSCAN",
        )),
        Some(Value::Array(parts)) => {
            let [Value::BulkString(cursor), Value::Array(keys)] =
                <[Value; 2]>::try_from(parts).map_err(|_| garbled())?
            else {
                return Err(garbled());
            };
            let cursor =
                std::str::from_utf8(&cursor).ok().and_then(|text| text.parse().ok()).ok_or_else(garbled)?;
            let keys = keys.into_iter().filter_map(|key| match key {
                Value::BulkString(key) => Some(key),
                _ => None,
            });
            Ok((cursor, keys.collect()))
        }
        _ => Err(garbled()),
    }
}

/// An error reply in the server's words, on one line.
pub(crate) fn said(error: &redis::ServerError) -> String {
    let line = format!("{} {}", error.code(), error.details().unwrap_or_default());
    line.trim().replace(['\n', '\r'], " ")
}
