//! One walk over the keyspace: requests that overlap where the server is to be kept busy, or that rest in
//! between.

mod exchange;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use cachescope_model::observation::Observed;
use cachescope_model::scan::{ScanChunk, ScanMode, ScanStarted};
use cachescope_model::server::DatabaseKeys;

use super::super::hello::ServerHello;
use super::super::node::RedisNode;
use super::super::raw::RawConnection;
use super::cursor::{keys_in_all, share_visited};
use super::pace::{Pace, Step as Paced};
use super::request::{Ask, Met, Refused, Request, Step};
use super::slots::{self, Segment};
use super::strata::Strata;
use super::{ScanOptions, send};
use crate::context::SourceContext;
use crate::error::SourceError;

/// Keys a SCAN step looks at where nobody else is served; [`Pace`] says how many where others are.
const COUNT_UNTHROTTLED: usize = 200;
/// Key bytes that may come back from one SCAN step before COUNT is lowered, and that one chunk may hold.
const CHUNK_BYTES: usize = 64 * 1024;
/// In a precise scan: keys after which another database is gone on with.
const TURN: u64 = 2_000;

/// Elements of a collection that MEMORY USAGE looks at, in a scan that is not exact: at most 40 µs a key.
const SAMPLES_WHEN_SAMPLED: &[u8] = b"100";
/// The same in an exact scan: at most 0.4 ms a key. Collections up to this size are weighed exactly.
const SAMPLES_WHEN_EXACT: &[u8] = b"1000";
/// In an exact scan, what weighs at least this much may be a collection of more elements than that and is
/// weighed again with all of them (1000 elements of any collection that is sampled at all take more).
const WEIGH_AGAIN_FROM: u64 = 16 * 1024;
/// What weighs more than this is left at its estimate: weighing all elements takes 4 ms at 10,000 elements
/// (about 1 MB), 48 ms at 100,000 and 400 ms at a million, and nobody else is served meanwhile.
const WEIGH_AGAIN_UP_TO: u64 = 1024 * 1024;
/// The same where others are served.
const WEIGH_AGAIN_GENTLY_UP_TO: u64 = 256 * 1024;

/// Why a scan ended early.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Cancelled, or nobody listens any more.
    Unwanted,
    /// The server failed us.
    Failed(SourceError),
}

impl From<SourceError> for Stopped {
    fn from(error: SourceError) -> Self {
        Self::Failed(error)
    }
}

/// One database on the way.
#[derive(Debug)]
struct Database {
    number: u16,
    /// What DBSIZE said.
    told: u64,
    met: u64,
    /// `None`: every key was met.
    cursor: Option<u64>,
    /// Keys that are there in all, as far as is known.
    keys: u64,
    /// The part of it that is meant, where it is walked through in several.
    segment: Option<Segment>,
}

/// A scan under way.
pub(super) struct Walk<'a> {
    context: &'a SourceContext,
    node: &'a RedisNode,
    options: &'a ScanOptions,
    scan: u64,
    strata: Strata,
    pace: Pace,
    databases: Vec<Database>,
    current: usize,
    in_turn: u64,
    connection: Option<RawConnection>,
    ready: VecDeque<Request>,
    in_flight: VecDeque<Request>,
    /// What is to be handed on.
    finished: VecDeque<Observed>,
    count: usize,
    refused: Refused,
    too_large: u64,
    too_long: u64,
    enough: bool,
    /// Whether its engine is known to walk over hash tables as Redis does.
    tables: bool,
    /// Whether a cursor tells how much was met, and a part of the walk is a random sample.
    by_hash: bool,
    /// Whether it goes by segments of slots, and met a key with a hash tag.
    segmented: bool,
    tagged: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        context: &'a SourceContext,
        node: &'a RedisNode,
        options: &'a ScanOptions,
        started: ScanStarted,
        databases: &[DatabaseKeys],
        tables: bool,
    ) -> Self {
        let database = |keys: &DatabaseKeys| Database {
            number: keys.database,
            told: keys.keys,
            met: 0,
            cursor: Some(0),
            keys: keys.keys,
            segment: None,
        };
        Self {
            context,
            node,
            options,
            scan: started.scan,
            strata: Strata::new(started.mode, started.keys_expected, rand::random_range(0..1_000_000)),
            pace: Pace::new(options.unthrottled),
            databases: databases.iter().map(database).collect(),
            current: 0,
            in_turn: 0,
            connection: None,
            ready: VecDeque::new(),
            in_flight: VecDeque::new(),
            finished: VecDeque::new(),
            count: 1,
            refused: Refused::default(),
            too_large: 0,
            too_long: 0,
            enough: false,
            tables,
            by_hash: false,
            segmented: false,
            tagged: false,
        }
    }

    /// Keys met so far.
    pub(super) fn keys_met(&self) -> u64 {
        self.databases.iter().map(|database| database.met).sum()
    }

    /// Whether every key was met.
    pub(super) fn whole(&self) -> bool {
        self.databases.iter().all(|database| database.cursor.is_none())
    }

    fn exact(&self) -> bool {
        self.options.mode == ScanMode::Exact
    }

    fn precise(&self) -> bool {
        matches!(self.options.mode, ScanMode::Precise { .. })
    }

    /// What this scan could not tell, and what would enable it.
    pub(super) fn partial(&self) -> Option<(String, String)> {
        let refused =
            |what: &str, error: &SourceError| (format!("{what}: {error}"), error.remedy().to_owned());
        let said = |words: String| Some((words, String::new()));
        let limit = self.weigh_all_up_to() / 1024;
        match &self.refused {
            Refused { memory: Some(error), .. } => Some(refused("keys are counted, not weighed", error)),
            Refused { ttl: Some(error), .. } => {
                Some(refused("keys are counted and weighed, but not asked for their TTL", error))
            }
            Refused { details: Some(error), .. } => {
                Some(refused("keys are counted and weighed, but not asked for their type", error))
            }
            _ if self.too_long > 0 => {
                said(format!("{} keys with names above 1 MiB are left out", self.too_long))
            }
            _ if self.too_large > 0 => said(format!(
                "{} keys above {limit} KiB are weighed by 1000 of their elements, because weighing all would \
                 stall the server",
                self.too_large
            )),
            _ if self.precise() && self.segmented && self.tagged => said(
                "keys with hash tags lie together in slots, so a part of the slots is no random sample: every key \
                 was met"
                    .to_owned(),
            ),
            _ if self.precise() && !self.may_stop() && self.keys_met() > 0 => said(
                "this server walks over its keys in an order of its own, so a part of them is no random sample: \
                 every key was met"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn weigh_all_up_to(&self) -> u64 {
        if self.options.unthrottled { WEIGH_AGAIN_UP_TO } else { WEIGH_AGAIN_GENTLY_UP_TO }
    }

    /// Walks on to the end, or to where enough is known. After a failure of the connection it may be called
    /// again: what was under way is asked again, and the cursors are kept.
    pub(super) async fn go(&mut self) -> Result<(), Stopped> {
        while let Some(lost) = self.in_flight.pop_back() {
            self.ready.push_front(lost);
        }
        loop {
            if self.context.cancel.is_cancelled() {
                return Err(Stopped::Unwanted);
            }
            self.look_whether_enough();
            if self.ready.is_empty() {
                let Some(step) = self.next_step() else { break };
                self.ready.push_back(step);
            }
            let exchanged = self.exchange().await;
            if exchanged.is_err() {
                self.connection = None;
            }
            while let Some(what) = self.finished.pop_front() {
                send(self.context, what).await?;
            }
            let (step, took, work) = exchanged?;
            self.rest(step, took, work).await?;
        }
        Ok(())
    }

    /// Whether a part of the walk is a random sample of the keys.
    fn may_stop(&self) -> bool {
        self.by_hash || self.segmented && !self.tagged
    }

    /// Goes by segments of slots from here on. A cluster has one database.
    fn go_by_segments(&mut self) {
        let Some(&Database { number, told, .. }) = self.databases.first() else { return };
        let mut segments = slots::segments(rand::random_range);
        // Of those that are as far the first in this order has its turn: no slots come sooner than others.
        segments.sort_by_cached_key(|_| rand::random::<u32>());
        let keys = told / segments.len() as u64;
        let database = |segment: Segment| Database {
            number,
            told,
            met: 0,
            cursor: Some(segment.cursor()),
            keys,
            segment: Some(segment),
        };
        self.databases = segments.into_iter().map(database).collect();
        self.segmented = true;
        self.ready.clear();
        let first = self.next_step();
        self.ready.extend(first);
    }

    /// Begins again in one go: this server doesn't begin where it is told to.
    fn go_in_one(&mut self, place: usize) {
        for (number, database) in self.databases.iter_mut().enumerate() {
            database.segment = None;
            database.cursor = (number == place).then_some(0);
            database.keys = if number == place { database.told } else { 0 };
        }
        self.segmented = false;
        self.ready.push_back(Request::step(place, 0));
    }

    fn look_whether_enough(&mut self) {
        let enough = self.precise()
            && self.may_stop()
            && self.options.steering.is_enough(&self.context.node, self.scan);
        if enough && !self.enough {
            self.enough = true;
            for request in &mut self.ready {
                request.scan = None;
            }
            self.ready.retain(|request| !request.asks.is_empty());
        }
    }

    /// The next step of SCAN, in the database whose turn it is.
    fn next_step(&mut self) -> Option<Request> {
        if self.enough {
            return None;
        }
        let open = |(place, database): (usize, &Database)| {
            let share = database.met as f64 / database.keys.max(1) as f64;
            database.cursor.map(|cursor| (place, cursor, share))
        };
        let mut open = self.databases.iter().enumerate().filter_map(open);
        let (place, cursor, _) =
            if self.precise() { open.min_by(|one, other| one.2.total_cmp(&other.2))? } else { open.next()? };
        self.current = place;
        self.in_turn = 0;
        Some(Request::step(place, cursor))
    }

    /// Decides on the keys that a step brought, and on the next step.
    fn take_step(&mut self, place: usize, mut step: Step) {
        if let Some(segment) = self.databases[place].segment {
            if self.keys_met() == 0 && step.keys.iter().any(|key| segment.is_behind(key)) {
                return self.go_in_one(place);
            }
            step.keys.retain(|key| segment.holds(key));
            self.tagged |= step.keys.iter().any(|key| slots::hash_tag(key).is_some());
        }
        self.too_long += step.too_long;
        if step.bytes > CHUNK_BYTES {
            self.count = (self.count / 2).max(1);
        } else if step.bytes < CHUNK_BYTES / 4 {
            let most = if self.options.unthrottled { COUNT_UNTHROTTLED } else { self.pace.keys_at_once() };
            self.count = (self.count * 2).min(most);
        }
        let database = &mut self.databases[place];
        database.met += step.keys.len() as u64 + step.too_long;
        let left = database.segment.map_or(step.cursor == 0, |segment| segment.is_left_at(step.cursor));
        database.cursor = (!left).then_some(step.cursor);
        database.keys = match database.cursor {
            None => database.met,
            Some(_) if database.segment.is_some() => database.keys.max(database.met),
            Some(cursor) => {
                let share = share_visited(cursor).filter(|_| self.by_hash);
                keys_in_all(database.met, share, database.told)
            }
        };
        let mut asks = Vec::new();
        let mut met = Vec::with_capacity(step.keys.len());
        for (number, key) in (0u32..).zip(step.keys) {
            let choice = self.strata.choose(&key);
            let mut ask = |ask: Ask| {
                if self.refused.allows(ask) {
                    asks.push((number, ask));
                }
            };
            if choice.weigh {
                ask(Ask::Weigh);
            }
            if choice.ttl {
                ask(Ask::Ttl);
            }
            if choice.details {
                [Ask::Type, Ask::Encoding, Ask::Idle].into_iter().for_each(ask);
            }
            met.push(Met::new(key, choice));
        }
        self.in_turn += met.len() as u64;
        let turn = if self.segmented { 0 } else { TURN };
        let turn_is_over = self.precise() && self.databases.len() > 1 && self.in_turn >= turn;
        let scan = self.databases[place].cursor.filter(|_| !turn_is_over && !self.enough);
        self.ready.push_back(Request { place, scan, asks, later: Vec::new(), met, first: true });
        if scan.is_none()
            && let Some(step) = self.next_step()
        {
            self.ready.push_back(step);
        }
    }

    /// Hands on the keys that are known well enough, or asks on.
    fn take_answers(&mut self, mut request: Request) {
        if request.first {
            request.first = false;
            request.later = self.further(&mut request.met);
        }
        if !request.later.is_empty() {
            let limit = self.weigh_all_up_to();
            let mut weight = 0;
            let mut taken = 0;
            for (place, ask) in &request.later {
                if *ask == Ask::WeighAll {
                    weight += request.met.get(*place as usize).and_then(|met| met.memory).unwrap_or(0);
                    if weight > limit && taken > 0 {
                        break;
                    }
                }
                taken += 1;
            }
            let rest = request.later.split_off(taken);
            request.asks = std::mem::replace(&mut request.later, rest);
            request.asks.retain(|(_, ask)| self.refused.allows(*ask));
            if !request.asks.is_empty() || !request.later.is_empty() {
                // Before what is ready already, so that few keys wait.
                self.ready.push_front(request);
                return;
            }
        }
        let exact = self.exact();
        let limit = self.weigh_all_up_to();
        for met in &mut request.met {
            let memory = met.memory.unwrap_or(0);
            met.partly_weighed = match met.kind() {
                Some("string") => false,
                _ if exact => memory > limit,
                Some(_) => memory >= WEIGH_AGAIN_FROM,
                None => false,
            };
            self.too_large += u64::from(exact && met.partly_weighed && !met.gone);
        }
        self.hand_on(request.place, request.met);
    }

    /// What else is to be asked, now that the weights are known.
    fn further(&mut self, met: &mut [Met]) -> Vec<(u32, Ask)> {
        let (exact, limit) = (self.exact(), self.weigh_all_up_to());
        let mut later = Vec::new();
        for (number, met) in (0u32..).zip(met) {
            let Some(memory) = met.memory.filter(|_| !met.gone) else { continue };
            let heavy = self.strata.weighed(met.choice.stratum, memory);
            let unclear = exact && memory >= WEIGH_AGAIN_FROM && met.kind() != Some("string");
            if unclear && memory <= limit {
                later.push((number, Ask::WeighAll));
            }
            if (heavy || unclear && memory > limit) && !met.choice.details {
                later.extend([Ask::Type, Ask::Encoding, Ask::Idle].map(|ask| (number, ask)));
                if met.ttl.is_none() {
                    later.push((number, Ask::Ttl));
                }
            }
        }
        later
    }

    /// Hands on the keys that are still there, in portions of bounded size.
    fn hand_on(&mut self, place: usize, met: Vec<Met>) {
        let mut keys = Vec::with_capacity(met.len());
        let mut bytes = 0;
        for met in met.into_iter().filter(|met| !met.gone) {
            bytes += met.key.len();
            keys.push(met.into_scanned());
            if bytes >= CHUNK_BYTES {
                self.finish(place, std::mem::take(&mut keys));
                bytes = 0;
            }
        }
        if !keys.is_empty() {
            self.finish(place, keys);
        }
    }

    fn finish(&mut self, place: usize, met: Vec<cachescope_model::scan::ScannedKey>) {
        let Database { number, mut keys, told, segment, .. } = self.databases[place];
        if segment.is_some() {
            keys = told.max(self.keys_met());
        }
        let chunk = ScanChunk { scan: self.scan, database: number, database_keys: keys, keys: met };
        self.finished.push_back(Observed::ScanChunk(chunk));
    }

    async fn rest(&mut self, step: Paced, took: Duration, work: usize) -> Result<(), Stopped> {
        let rest = self.pace.after(step, took, work);
        if rest.is_zero() {
            return Ok(());
        }
        let began = Instant::now();
        if !self.context.sleep(rest).await {
            return Err(Stopped::Unwanted);
        }
        self.pace.rested(began.elapsed());
        Ok(())
    }
}

/// Whether a server in cluster mode is known to keep a table for each slot.
fn keeps_slot_tables(hello: &ServerHello) -> bool {
    match hello.server.as_str() {
        "redis" => !before_slot_tables(&hello.version),
        "valkey" => hello.major().is_some_and(|major| major >= 8),
        _ => false,
    }
}

/// Whether a server of this version keeps one table for all slots (until Redis 7.4).
fn before_slot_tables(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(u32::MAX));
    let (major, minor) = (numbers.next().unwrap_or(u32::MAX), numbers.next().unwrap_or(0));
    (major, minor) < (7, 4)
}
