//! One walk over the keyspace, chunk by chunk.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cachescope_model::observation::Observed;
use cachescope_model::scan::{ScanChunk, ScanMode, ScannedKey, Ttl};
use redis::{Pipeline, Value};

use super::failure::is_elsewhere;
use super::node::{Gate, RedisNode};
use super::pace::{Pace, Step};
use super::scan::send;
use crate::context::SourceContext;
use crate::error::{ErrorCode, SourceError};

/// Keys a SCAN step looks at: 100 keep other clients' p99 where it was, 1000 raise it several times.
const COUNT: usize = 100;
/// Key bytes that may come back from one SCAN step before COUNT is lowered, and that one chunk may hold.
const CHUNK_BYTES: usize = 256 * 1024;

/// Elements of a collection that MEMORY USAGE looks at, in a sampled scan. Measured: 6 to 30 µs a key, however
/// large the collection.
const SAMPLES_WHEN_SAMPLED: usize = 5;
/// The same in an exact scan: at most 0.4 ms a key. Collections up to this size are weighed exactly.
const SAMPLES_WHEN_EXACT: usize = 1000;
/// In an exact scan, what weighs at least this much may be a collection of more elements than that and is
/// weighed again with all of them (1000 elements of any collection that is sampled at all take more).
const WEIGH_AGAIN_FROM: u64 = 16 * 1024;
/// What weighs more than this is left at its estimate: weighing all elements takes 4 ms at 10,000 elements
/// (about 1 MB), 48 ms at 100,000 and 400 ms at a million, and nobody else is served meanwhile.
const WEIGH_AGAIN_UP_TO: u64 = 1024 * 1024;

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

/// A key on its way through the steps.
#[derive(Debug)]
struct Met {
    key: Bytes,
    weigh: bool,
    memory: Option<u64>,
    ttl: Option<Ttl>,
    gone: bool,
}

/// A scan under way.
pub(super) struct Pass<'a> {
    context: &'a SourceContext,
    node: &'a RedisNode,
    scan: u64,
    weigh_every: u64,
    samples: usize,
    exact: bool,
    pace: Pace,
    met: u64,
    count: usize,
    too_large: u64,
    memory_refused: Option<SourceError>,
    ttl_refused: Option<SourceError>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        context: &'a SourceContext,
        node: &'a RedisNode,
        scan: u64,
        mode: ScanMode,
        pace: Pace,
    ) -> Self {
        let (exact, weigh_every) = match mode {
            ScanMode::Exact => (true, 1),
            ScanMode::Sampled { weigh_every } => (false, u64::from(weigh_every.max(1))),
        };
        let samples = if exact { SAMPLES_WHEN_EXACT } else { SAMPLES_WHEN_SAMPLED };
        Self {
            context,
            node,
            scan,
            weigh_every,
            samples,
            exact,
            pace,
            // SCAN goes by hash, so that every n-th key is as good as a random sample; where it begins is random
            // so that repeated scans don't weigh the same keys.
            met: rand::random_range(0..weigh_every),
            count: COUNT,
            too_large: 0,
            memory_refused: None,
            ttl_refused: None,
        }
    }

    /// What this scan could not tell, and what would enable it.
    pub(super) fn partial(&self) -> Option<(String, String)> {
        let refused =
            |what: &str, error: &SourceError| (format!("{what}: {error}"), error.remedy().to_owned());
        match (&self.memory_refused, &self.ttl_refused) {
            (Some(error), _) => Some(refused("keys are counted, not weighed", error)),
            (None, Some(error)) => {
                Some(refused("keys are counted and weighed, but not asked for their TTL", error))
            }
            (None, None) if self.too_large > 0 => Some((
                format!(
                    "{} keys above 1 MiB are weighed by {SAMPLES_WHEN_EXACT} of their elements, because \
                     weighing all would stall the server",
                    self.too_large
                ),
                String::new(),
            )),
            (None, None) => None,
        }
    }

    /// Walks over one database.
    pub(super) async fn walk(&mut self, database: u16) -> Result<(), Stopped> {
        let mut cursor = Bytes::from_static(b"0");
        let mut pending: Vec<Met> = Vec::new();
        loop {
            // Round trip one: the times to live of the last chunk, and the next step of the scan.
            let (next, keys) = self.step(database, &cursor, &mut pending).await?;
            self.hand_on(database, std::mem::take(&mut pending)).await?;
            pending = self.choose(keys);
            // Round trip two: which of the chosen keys are there, and how heavy.
            self.weigh(database, &mut pending).await?;
            cursor = next;
            if cursor.as_ref() == b"0" {
                break;
            }
        }
        self.ask_ttls(database, &mut pending).await?;
        self.hand_on(database, pending).await
    }

    fn choose(&mut self, keys: Vec<Bytes>) -> Vec<Met> {
        let every = self.weigh_every;
        keys.into_iter()
            .map(|key| {
                self.met += 1;
                let weigh = self.met.is_multiple_of(every);
                Met { key, weigh, memory: None, ttl: None, gone: false }
            })
            .collect()
    }

    async fn step(
        &mut self,
        database: u16,
        cursor: &Bytes,
        pending: &mut [Met],
    ) -> Result<(Bytes, Vec<Bytes>), Stopped> {
        let mut gate = self.node.gate().await;
        let mut pipeline = Pipeline::new();
        let asked = self.add_ttls(&mut pipeline, pending);
        pipeline.cmd("SCAN").arg(cursor.as_ref()).arg("COUNT").arg(self.count);
        let mut replies = gate.ask_many(database, &pipeline).await?;
        let scanned = replies.pop().unwrap_or(Value::Nil);
        let missed = self.take_ttls(&mut gate, pending, &asked, &replies);
        let round_trip = gate.round_trip();
        let step = match scanned {
            Value::ServerError(error) => Err(gate.refusal("SCAN", &error)),
            other => parse_scan(other)
                .ok_or_else(|| SourceError::new(ErrorCode::Protocol, "the reply to SCAN can't be read", "")),
        };
        drop(gate);
        self.report_missed(database, missed).await?;
        let (next, keys) = step?;
        self.adapt_count(&keys);
        let work = asked.len() + self.count;
        self.rest(Step::Walk, round_trip, work).await?;
        Ok((next, keys))
    }

    /// Long keys are asked for in smaller portions.
    fn adapt_count(&mut self, keys: &[Bytes]) {
        let bytes: usize = keys.iter().map(Bytes::len).sum();
        if bytes > CHUNK_BYTES {
            self.count = (self.count / 2).max(1);
        } else if bytes < CHUNK_BYTES / 4 {
            self.count = (self.count * 2).min(COUNT);
        }
    }

    async fn weigh(&mut self, database: u16, met: &mut [Met]) -> Result<(), Stopped> {
        if self.memory_refused.is_some() {
            return Ok(());
        }
        let chosen: Vec<usize> = (0..met.len()).filter(|place| met[*place].weigh).collect();
        self.weigh_these(database, met, &chosen, self.samples).await?;
        if !self.exact {
            return Ok(());
        }
        let mut together = Vec::new();
        let mut weight = 0;
        for place in chosen {
            let memory = met[place].memory.unwrap_or(0);
            if memory > WEIGH_AGAIN_UP_TO {
                self.too_large += 1;
            } else if memory >= WEIGH_AGAIN_FROM {
                together.push(place);
                weight += memory;
                if weight >= WEIGH_AGAIN_UP_TO {
                    self.weigh_these(database, met, &together, 0).await?;
                    together.clear();
                    weight = 0;
                }
            }
        }
        self.weigh_these(database, met, &together, 0).await
    }

    async fn weigh_these(
        &mut self,
        database: u16,
        met: &mut [Met],
        places: &[usize],
        samples: usize,
    ) -> Result<(), Stopped> {
        if places.is_empty() || self.memory_refused.is_some() {
            return Ok(());
        }
        let mut pipeline = Pipeline::new();
        for place in places {
            pipeline.cmd("MEMORY").arg("USAGE").arg(met[*place].key.as_ref()).arg("SAMPLES").arg(samples);
        }
        let mut gate = self.node.gate().await;
        let replies = gate.ask_many(database, &pipeline).await?;
        let round_trip = gate.round_trip();
        for (place, reply) in places.iter().zip(&replies) {
            match reply {
                Value::Int(bytes) => met[*place].memory = u64::try_from(*bytes).ok(),
                Value::Nil => met[*place].gone = true,
                // Counted and not weighed; one that has gone is counted where it is.
                Value::ServerError(error) if is_elsewhere(error) => {
                    met[*place].gone = error.code() == "ASK";
                    met[*place].weigh = false;
                }
                Value::ServerError(error) => {
                    let error = gate.refusal("MEMORY USAGE", error);
                    if matches!(error.kind(), ErrorCode::Permission | ErrorCode::Unsupported) {
                        self.memory_refused = Some(error);
                        break;
                    }
                    return Err(error.into());
                }
                _ => {}
            }
        }
        drop(gate);
        self.rest(if samples == 0 { Step::WeighAll } else { Step::Weigh }, round_trip, places.len()).await
    }

    /// Adds PTTL for the keys that were there when they were weighed.
    fn add_ttls(&self, pipeline: &mut Pipeline, met: &[Met]) -> Vec<usize> {
        // Where keys can't be weighed, nothing tells whether one is still there: PTTL would be a guess that
        // shows up in the server's misses. Counting keys is all that is done then.
        if self.ttl_refused.is_some() || self.memory_refused.is_some() {
            return Vec::new();
        }
        let asked: Vec<usize> =
            (0..met.len()).filter(|place| met[*place].weigh && !met[*place].gone).collect();
        for place in &asked {
            pipeline.cmd("PTTL").arg(met[*place].key.as_ref());
        }
        asked
    }

    /// Reads the replies to PTTL, counts them as our lookups and returns the keys that had gone.
    fn take_ttls(
        &mut self,
        gate: &mut Gate<'_>,
        met: &mut [Met],
        asked: &[usize],
        replies: &[Value],
    ) -> Vec<Bytes> {
        let mut missed = Vec::new();
        let mut hits = 0;
        for (place, reply) in asked.iter().zip(replies) {
            match reply {
                // -2: no such key, -1: no time to live (documentation of PTTL, since 2.8).
                Value::Int(-2) => {
                    met[*place].gone = true;
                    missed.push(met[*place].key.clone());
                }
                Value::Int(millis) => {
                    hits += 1;
                    met[*place].ttl = Some(u64::try_from(*millis).map_or(Ttl::None, Ttl::Millis));
                }
                Value::ServerError(error) if is_elsewhere(error) => {}
                Value::ServerError(error) => {
                    self.ttl_refused = Some(gate.refusal("PTTL", error));
                }
                _ => {}
            }
        }
        gate.count_lookups(hits, missed.len() as u64);
        missed
    }

    async fn ask_ttls(&mut self, database: u16, met: &mut [Met]) -> Result<(), Stopped> {
        let mut pipeline = Pipeline::new();
        let asked = self.add_ttls(&mut pipeline, met);
        if asked.is_empty() {
            return Ok(());
        }
        let mut gate = self.node.gate().await;
        let replies = gate.ask_many(database, &pipeline).await?;
        let missed = self.take_ttls(&mut gate, met, &asked, &replies);
        let round_trip = gate.round_trip();
        drop(gate);
        self.report_missed(database, missed).await?;
        self.rest(Step::Walk, round_trip, asked.len()).await
    }

    async fn report_missed(&self, database: u16, missed: Vec<Bytes>) -> Result<(), Stopped> {
        for key in missed {
            send(self.context, Observed::OwnMiss { database, key }).await?;
        }
        Ok(())
    }

    /// Hands on the keys that are still there, in portions of bounded size.
    async fn hand_on(&self, database: u16, met: Vec<Met>) -> Result<(), Stopped> {
        let mut keys = Vec::new();
        let mut bytes = 0;
        for met in met.into_iter().filter(|met| !met.gone) {
            bytes += met.key.len();
            keys.push(ScannedKey { key: met.key, memory: met.memory, ttl: met.ttl });
            if bytes >= CHUNK_BYTES {
                self.send_keys(database, std::mem::take(&mut keys)).await?;
                bytes = 0;
            }
        }
        self.send_keys(database, keys).await
    }

    async fn send_keys(&self, database: u16, keys: Vec<ScannedKey>) -> Result<(), Stopped> {
        if keys.is_empty() {
            return Ok(());
        }
        send(self.context, Observed::ScanChunk(ScanChunk { scan: self.scan, database, keys })).await
    }

    async fn rest(&mut self, step: Step, round_trip: Duration, work: usize) -> Result<(), Stopped> {
        let rest = self.pace.after(step, round_trip, work);
        if rest.is_zero() {
            return if self.context.cancel.is_cancelled() { Err(Stopped::Unwanted) } else { Ok(()) };
        }
        let began = Instant::now();
        if !self.context.sleep(rest).await {
            return Err(Stopped::Unwanted);
        }
        self.pace.rested(began.elapsed());
        Ok(())
    }
}

/// Cursor and keys of a SCAN reply.
fn parse_scan(reply: Value) -> Option<(Bytes, Vec<Bytes>)> {
    let Value::Array(parts) = reply else { return None };
    let [Value::BulkString(cursor), Value::Array(keys)] = <[Value; 2]>::try_from(parts).ok()? else {
        return None;
    };
    let keys = keys
        .into_iter()
        .map(|key| match key {
            Value::BulkString(key) => Some(Bytes::from(key)),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?;
    Some((Bytes::from(cursor), keys))
}
