//! Causes of misses against a world that knows the truth of every key.

use std::collections::BTreeMap;
use std::sync::Arc;

use cachescope_engine::{Engine, EngineOptions};
use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::observation::{EventChannels, Observation, Observed};
use cachescope_model::server::{CommandStat, DatabaseKeys, ServerInfo};
use cachescope_model::snapshot::{MissCauses, Snapshot};
use cachescope_model::window::Window;
use proptest::prelude::*;

use crate::support::{at, info, strategy};

/// Why a key is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    Cold,
    Expired,
    Evicted,
    Deleted,
    Flushed,
}

/// What clients and the server do.
#[derive(Clone, Copy, Debug)]
enum Step {
    Read(usize),
    Set(usize),
    Expire(usize),
    Evict(usize),
    Delete(usize),
    Flush,
}

/// A server with its clients, and the engine that watches it.
struct World {
    engine: Engine,
    flags: EventChannels,
    /// Whether each key is there, and why not.
    keys: Vec<Result<(), Gone>>,
    truth: Vec<MissCauses>,
    batch: KeyEventBatch,
    flushes: u64,
    deletes: u64,
    now_ms: i64,
    /// How much later than they happen events are stamped.
    lag_ms: i64,
}

fn channels(deletions: bool, additions: bool) -> EventChannels {
    EventChannels {
        misses: Some(true),
        evictions: Some(true),
        expirations: Some(true),
        deletions: Some(deletions),
        additions: Some(additions),
    }
}

impl World {
    /// Each key is a namespace of its own, so that its causes can be told apart.
    fn new(keys: usize, flags: EventChannels, capacity: usize, lag_ms: i64) -> Self {
        let names: Vec<String> = (0..keys).map(|key| format!("k{key}:x")).collect();
        let templates: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
        let options = EngineOptions { tombstones: capacity, ..EngineOptions::default() };
        Self {
            engine: Engine::new(&strategy(&templates), options),
            flags,
            keys: vec![Err(Gone::Cold); keys],
            truth: vec![MissCauses::default(); keys],
            batch: KeyEventBatch::default(),
            flushes: 0,
            deletes: 0,
            now_ms: 0,
            lag_ms,
        }
    }

    fn see(&mut self, at_ms: i64, what: Observed) {
        let at = at(0.0).plus_millis(at_ms);
        self.engine.observe(&Observation { at, node: Arc::from("redis:6379"), what });
    }

    fn begin(&mut self) {
        self.info();
        self.see(self.now_ms + 1, Observed::EventsBegan(self.flags));
        self.wait(2_500);
    }

    fn info(&mut self) {
        let stat = |command: &str, calls| CommandStat { command: command.to_owned(), calls, microseconds: 0 };
        let keys = self.keys.iter().filter(|key| key.is_ok()).count() as u64;
        let databases = vec![DatabaseKeys { database: 0, keys, expires: 0 }];
        let commands = vec![
            stat("info", 1 + self.now_ms as u64 / 1000),
            stat("flushdb", self.flushes),
            stat("del", self.deletes),
        ];
        let uptime = 100 + self.now_ms as u64 / 1000;
        let reply = ServerInfo {
            databases: if keys > 0 { databases } else { Vec::new() },
            commands,
            ..info(uptime, 0, 0)
        };
        self.see(self.now_ms, Observed::Info(Box::new(reply)));
    }

    /// Time passes: events are handed on every tenth of a second, INFO is asked every second.
    fn wait(&mut self, millis: i64) {
        let end = self.now_ms + millis;
        while self.now_ms < end {
            let next = (self.now_ms / 100 + 1) * 100;
            self.now_ms = next.min(end);
            if self.now_ms % 100 == 0 {
                let batch = std::mem::take(&mut self.batch);
                if !batch.is_empty() {
                    self.see(self.now_ms + self.lag_ms, Observed::Events(batch));
                }
            }
            if self.now_ms % 1000 == 0 {
                self.info();
            }
        }
    }

    fn say(&mut self, kind: KeyEventKind, key: usize) {
        let told = match kind {
            KeyEventKind::New => self.flags.additions,
            KeyEventKind::Deleted => self.flags.deletions,
            _ => Some(true),
        };
        if told == Some(true) {
            self.batch.push(kind, 0, format!("k{key}:x").as_bytes());
        }
    }

    fn step(&mut self, step: Step) {
        let count = self.keys.len();
        let go = |world: &mut Self, key: usize, gone: Gone, kind: KeyEventKind| {
            let key = key % count;
            if world.keys[key].is_ok() {
                world.keys[key] = Err(gone);
                world.say(kind, key);
                return true;
            }
            false
        };
        match step {
            Step::Read(key) => {
                let key = key % count;
                let Err(gone) = self.keys[key] else { return };
                let truth = &mut self.truth[key];
                *match gone {
                    Gone::Cold => &mut truth.cold,
                    Gone::Expired => &mut truth.expired,
                    Gone::Evicted => &mut truth.evicted,
                    Gone::Deleted => &mut truth.deleted,
                    Gone::Flushed => &mut truth.flushed,
                } += 1;
                self.say(KeyEventKind::Miss, key);
            }
            Step::Set(key) => {
                let key = key % count;
                if self.keys[key].is_err() {
                    self.keys[key] = Ok(());
                    self.say(KeyEventKind::New, key);
                }
            }
            Step::Expire(key) => {
                go(self, key, Gone::Expired, KeyEventKind::Expired);
            }
            Step::Evict(key) => {
                go(self, key, Gone::Evicted, KeyEventKind::Evicted);
            }
            Step::Delete(key) => {
                self.deletes += 1;
                go(self, key, Gone::Deleted, KeyEventKind::Deleted);
            }
            Step::Flush => {
                self.flushes += 1;
                for key in self.keys.iter_mut().filter(|key| key.is_ok()) {
                    *key = Err(Gone::Flushed);
                }
            }
        }
    }

    fn end(&mut self) -> Verdict {
        self.wait(4_000);
        let end = at(0.0).plus_millis(self.now_ms + self.lag_ms);
        self.engine.advance(end);
        Verdict::of(&self.engine.snapshot(end, Window::OneDay), &self.truth)
    }
}

/// The engine's word held against the truth, key by key.
#[derive(Clone, Copy, Debug, Default)]
struct Verdict {
    said: MissCauses,
    truth: MissCauses,
    /// Misses said to be of a cause of which they were not.
    wrong: u64,
}

fn parts(causes: &MissCauses) -> [u64; 5] {
    [causes.expired, causes.evicted, causes.deleted, causes.flushed, causes.cold]
}

fn sum(one: MissCauses, other: &MissCauses) -> MissCauses {
    MissCauses {
        expired: one.expired + other.expired,
        evicted: one.evicted + other.evicted,
        deleted: one.deleted + other.deleted,
        flushed: one.flushed + other.flushed,
        cold: one.cold + other.cold,
        unknown: one.unknown + other.unknown,
    }
}

impl Verdict {
    fn of(snapshot: &Snapshot, truth: &[MissCauses]) -> Self {
        let rows: BTreeMap<&str, &MissCauses> =
            snapshot.namespaces.iter().map(|row| (row.namespace.as_str(), &row.miss_causes)).collect();
        let mut verdict = Self::default();
        for (key, truth) in truth.iter().enumerate() {
            let said = rows[format!("k{key}:x").as_str()];
            assert_eq!(said.total(), truth.total(), "every miss of key {key} is counted");
            verdict.wrong += parts(said)
                .iter()
                .zip(parts(truth))
                .map(|(said, true_)| said.saturating_sub(true_))
                .sum::<u64>();
            verdict.said = sum(verdict.said, said);
            verdict.truth = sum(verdict.truth, truth);
        }
        verdict
    }

    /// The smallest share told right of any cause that occurred.
    fn least_right(&self) -> f64 {
        let shares = parts(&self.said).into_iter().zip(parts(&self.truth)).filter(|(_, truth)| *truth > 0);
        shares.map(|(said, truth)| said as f64 / truth as f64).fold(1.0, f64::min)
    }
}

fn step(keys: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0..keys).prop_map(Step::Read),
        6 => (0..keys).prop_map(Step::Set),
        2 => (0..keys).prop_map(Step::Expire),
        2 => (0..keys).prop_map(Step::Evict),
        2 => (0..keys).prop_map(Step::Delete),
        1 => Just(Step::Flush),
    ]
}

fn history(keys: usize, steps: usize) -> impl Strategy<Value = Vec<(Step, i64)>> {
    // Often at once, sometimes seconds apart: around a flush both matter.
    let pause = prop_oneof![12 => Just(0i64), 6 => 1..150i64, 2 => 500..4_000i64];
    prop::collection::vec((step(keys), pause), 1..steps)
}

fn run(mut world: World, history: &[(Step, i64)]) -> Verdict {
    world.begin();
    for (step, pause) in history {
        world.step(*step);
        world.wait(*pause);
    }
    world.end()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn with_deletions_and_additions_told_every_cause_is_right(
        history in history(12, 150),
        lag_ms in 0i64..400,
    ) {
        let verdict = run(World::new(12, channels(true, true), 1_000, lag_ms), &history);
        prop_assert_eq!((verdict.wrong, verdict.said.unknown), (0, 0), "{:?}", verdict);
    }

    #[test]
    fn beyond_the_capacity_none_is_wrong(
        history in history(60, 400),
        capacity in 1usize..20,
        lag_ms in 0i64..400,
    ) {
        let verdict = run(World::new(60, channels(true, true), capacity, lag_ms), &history);
        prop_assert_eq!(verdict.wrong, 0, "{:?}", verdict);
    }

    #[test]
    fn with_less_told_more_is_unknown_and_none_is_wrong(
        history in history(12, 150),
        flags in prop::sample::select(vec![channels(true, false), channels(false, true)]),
        full in prop::collection::vec(0..12usize, 0..8),
        lag_ms in 0i64..400,
    ) {
        let mut world = World::new(12, flags, 1_000, lag_ms);
        // Some keys are there before watching begins.
        for key in full {
            world.keys[key] = Ok(());
        }
        let verdict = run(world, &history);
        prop_assert_eq!(verdict.wrong, 0, "{:?}", verdict);
    }

    #[test]
    fn keys_from_before_the_watch_make_none_wrong(
        history in history(12, 150),
        full in prop::collection::vec(0..12usize, 1..12),
        broken in prop::option::of(0..150usize),
    ) {
        let mut world = World::new(12, channels(true, true), 1_000, 0);
        for key in full {
            world.keys[key] = Ok(());
        }
        world.begin();
        for (place, (step, pause)) in history.iter().enumerate() {
            // By definition a key is cold where watching began anew after a flush in which it went unseen.
            if broken.is_none_or(|broken| place > broken) || !matches!(step, Step::Flush) {
                world.step(*step);
            }
            world.wait(*pause);
            if broken == Some(place) {
                world.wait(100);
                world.see(world.now_ms, Observed::EventsLost);
                world.wait(700);
                world.see(world.now_ms, Observed::EventsBegan(world.flags));
                world.wait(10);
            }
        }
        let verdict = world.end();
        prop_assert_eq!(verdict.wrong, 0, "{:?}", verdict);
    }
}

/// A cache-aside service over many keys: a miss is filled, keys expire, are evicted, deleted and, twice, flushed.
fn service(flags: EventChannels, capacity: usize, keys: usize) -> Verdict {
    let mut world = World::new(keys, flags, capacity, 120);
    world.begin();
    let mut seed = 1u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for round in 0..40_000usize {
        let key = random(keys);
        world.step(Step::Read(key));
        if random(10) < 8 {
            world.step(Step::Set(key));
        }
        match random(12) {
            0 => world.step(Step::Expire(random(keys))),
            1 => world.step(Step::Evict(random(keys))),
            2 => world.step(Step::Delete(random(keys))),
            _ => {}
        }
        if round % 15_000 == 14_999 {
            world.step(Step::Flush);
        }
        if round % 20 == 0 {
            world.wait(20);
        }
    }
    world.end()
}

#[test]
fn within_the_capacity_99_percent_of_every_cause_are_right() {
    let verdict = service(channels(true, true), 1_000, 900);
    assert_eq!(verdict.wrong, 0, "{verdict:?}");
    assert!(verdict.least_right() >= 0.99, "{verdict:?}");
    assert!(parts(&verdict.truth).iter().all(|misses| *misses > 100), "all causes occur: {verdict:?}");
}

#[test]
fn at_a_fifth_of_the_capacity_it_needs_none_is_wrong() {
    let verdict = service(channels(true, true), 180, 900);
    assert_eq!(verdict.wrong, 0, "{verdict:?}");
    assert!(verdict.said.unknown > 0, "{verdict:?}");
    assert!(verdict.said.evicted * 10 > verdict.truth.evicted, "what has room is told: {verdict:?}");
}

#[test]
fn what_a_flush_overturns_is_taken_out_of_the_delays_too() {
    for flush in [false, true] {
        let mut world = World::new(1, channels(false, false), 1_000, 0);
        world.begin();
        world.step(Step::Set(0));
        world.wait(2_000);
        world.step(Step::Evict(0));
        world.wait(200);
        world.step(Step::Read(0));
        if flush {
            world.step(Step::Flush);
        }
        world.wait(4_000);
        let insights = world
            .engine
            .misses(Some("k0:x"), at(world.now_ms as f64 / 1000.0), Window::OneMinute)
            .expect("it is documented");
        let after_eviction: u64 = insights.after_eviction.classes.iter().map(|class| class.misses).sum();
        let expected = if flush { (0, 1, 0) } else { (1, 0, 1) };
        assert_eq!((insights.causes.evicted, insights.causes.unknown, after_eviction), expected, "{flush}");
    }
}
