//! The readings of the whole deployment.

use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind as R;

use super::application::{Figures, NO_TRAFFIC};
use super::reasons::Reason;
use super::view::{LEAST_SECONDS, ServerView, View};
use super::{application, event_rates, execution, latency, probed};
use crate::engine::Engine;
use crate::events::MISSES;
use crate::server::STALE_AFTER_MILLIS;
use crate::window::Count;

const NO_LATENCY: &str = "the application has no latency histogram that is recognised: name it in the strategy \
     (metrics.latency), or switch on the source probe";

pub(super) fn readings(engine: &Engine, view: &View<'_>) -> Readings {
    let mut readings = Readings::new();
    let figures = application::of_all(engine, view);
    let counted = Counted { engine, view };
    counted.traffic(&figures, &mut readings);
    counted.removals(&figures, &mut readings);
    let all = engine.applications.carriers.iter();
    latency::readings(view, all, &figures, NO_LATENCY, &mut readings);
    probed::of_instance(engine, view, &mut readings);
    counted.levels(&mut readings);
    let ttl = match (&view.scan, engine.scans.ttls.quantile(0.5)) {
        (Some((source, _)), Some(ttl)) => {
            Reading::estimated(ttl.value, ttl.low, ttl.high, source.clone(), 0.0)
        }
        (Some(_), None) => Reading::unavailable("none of the keys asked has a time to live"),
        (None, _) => Reading::unavailable(view.reasons.scan.clone()),
    };
    readings.insert(R::TtlP50Seconds, ttl);
    readings
}

struct Counted<'a, 'e> {
    engine: &'a Engine,
    view: &'a View<'e>,
}

impl Counted<'_, '_> {
    fn sum(&self, count: Count) -> f64 {
        self.engine.server.tally.sum(count, &self.view.server.range) as f64
    }

    fn server(&self) -> Option<&ServerView> {
        Some(&self.view.server).filter(|server| server.seconds >= LEAST_SECONDS)
    }

    fn no_info(&self) -> Reading {
        Reading::unavailable(self.view.reasons.info.clone())
    }

    fn exact(&self, value: f64) -> Reading {
        let server = &self.view.server;
        if let Some(assumption) = &server.assumption {
            let words = match &server.remark {
                Some(remark) => format!("{assumption}; {remark}"),
                None => assumption.clone(),
            };
            return Reading::modelled(value, words, server.source, server.seconds);
        }
        let reading = Reading::exact(value, server.source, server.seconds);
        match &server.remark {
            Some(remark) => reading.with_reason(remark.clone()),
            None => reading,
        }
    }

    /// A counter of the server per second.
    fn rate(&self, count: Count) -> Option<Reading> {
        self.server().map(|server| self.exact(self.sum(count) / server.seconds))
    }

    fn traffic(&self, figures: &Result<Figures, Reason>, readings: &mut Readings) {
        let (hits, misses) = (self.sum(Count::ServerHits), self.sum(Count::ServerMisses));
        let by_application = |of: fn(&Figures) -> Reading| figures.as_ref().ok().map(of);
        let hit_rate = match self.server() {
            Some(_) if hits + misses > 0.0 => self.exact(hits / (hits + misses)),
            Some(_) => Reading::unavailable(NO_TRAFFIC),
            None => by_application(Figures::hit_rate).unwrap_or_else(|| self.no_info()),
        };
        readings.insert(R::HitRate, hit_rate);
        let lookups = self
            .server()
            .map(|server| self.exact((hits + misses) / server.seconds))
            .or_else(|| by_application(|figures| figures.rate(figures.lookups())));
        readings.insert(R::LookupsPerSecond, lookups.unwrap_or_else(|| self.no_info()));
        let announced = || {
            let total: u64 =
                MISSES.iter().map(|count| self.engine.rows.total(*count, &self.view.events_range)).sum();
            event_rates::rate(&self.view.events[0], total as f64)
        };
        let misses = self
            .rate(Count::ServerMisses)
            .or_else(announced)
            .or_else(|| by_application(|figures| figures.rate(figures.misses)));
        readings.insert(R::MissesPerSecond, misses.unwrap_or_else(|| self.no_info()));
        let commands = self.rate(Count::ServerCommands).unwrap_or_else(|| self.no_info());
        readings.insert(R::CommandsPerSecond, commands);
        let calls = self.sum(Count::ReadCalls);
        let execution = match self.server() {
            Some(server) if server.source != "INFO" => {
                Reading::unavailable("needs INFO commandstats: connect to Redis")
            }
            Some(_) if calls > 0.0 => self.exact(self.sum(Count::ReadMicros) / calls / 1e6),
            Some(_) => Reading::unavailable(
                "no read command ran in this window, or INFO commandstats is not permitted",
            ),
            None => self.no_info(),
        };
        execution::of_instance(self.engine, self.view, execution, readings);
    }

    fn removals(&self, figures: &Result<Figures, Reason>, readings: &mut Readings) {
        let announced = |kind: usize, count: Count| {
            let total = self.engine.rows.total(count, &self.view.events_range) as f64;
            event_rates::rate(&self.view.events[kind], total)
        };
        let by_application = || {
            let figures = figures.as_ref().ok().filter(|figures| figures.evictions > 0.0)?;
            Some(figures.rate(figures.evictions))
        };
        let evictions = self
            .rate(Count::ServerEvicted)
            .or_else(|| announced(1, Count::Evicted))
            .or_else(by_application)
            .unwrap_or_else(|| self.no_info());
        readings.insert(R::EvictionRatio, event_rates::ratio(&evictions, &readings[&R::LookupsPerSecond]));
        readings.insert(R::EvictionsPerSecond, evictions);
        let expirations = self.rate(Count::ServerExpired).or_else(|| announced(2, Count::Expired));
        readings.insert(R::ExpirationsPerSecond, expirations.unwrap_or_else(|| self.no_info()));
    }

    fn levels(&self, readings: &mut Readings) {
        let newest = self.engine.server.newest_ms();
        let direct = newest.is_some_and(|newest| self.view.now_ms - newest <= STALE_AFTER_MILLIS);
        let exporter =
            newest.is_none_or(|newest| self.view.now_ms - newest > crate::server::LEFT_AFTER_MILLIS);
        let current = self.engine.server.current(self.view.now_ms).filter(|_| direct || exporter);
        let Some(levels) = current else {
            for kind in [R::MemoryBytes, R::MemoryRatio, R::Keys, R::NoTtlRatio, R::ConnectedClients] {
                readings.insert(kind, self.no_info());
            }
            return;
        };
        let source = if direct { "INFO" } else { "redis_exporter" };
        if !levels.missing.is_empty() && self.engine.server.is_young(self.view.now_ms) {
            for kind in [R::MemoryBytes, R::MemoryRatio, R::Keys, R::NoTtlRatio, R::ConnectedClients] {
                readings.insert(kind, Reading::unavailable("not every server has answered yet"));
            }
            return;
        }
        let known = |value: f64| match levels.missing.as_str() {
            "" => Reading::exact(value, source, 0.0),
            missing => {
                let assumption = format!("without {missing}, which does not answer");
                Reading::modelled(value, assumption, source, 0.0)
            }
        };
        let level = |value: f64, what: &str| {
            if value.is_nan() {
                Reading::unavailable(format!("redis_exporter does not report {what}"))
            } else {
                known(value)
            }
        };
        readings.insert(R::MemoryBytes, level(levels.used_memory, "memory"));
        let ratio = match levels.limit {
            Some(limit) if levels.limited => known(levels.used_memory / limit),
            Some(limit) if levels.missing.is_empty() => {
                Reading::exact(levels.used_memory / limit, source, 0.0)
                    .with_reason("no maxmemory is set: this is the share of the system's memory")
            }
            Some(limit) => known(levels.used_memory / limit),
            None => Reading::unavailable("neither maxmemory nor the system's memory is known: set maxmemory"),
        };
        readings.insert(R::MemoryRatio, ratio);
        readings.insert(R::Keys, level(levels.keys, "keys by database"));
        readings.insert(R::ConnectedClients, level(levels.clients, "clients"));
        let without = match levels.expires {
            Some(expires) if levels.keys > 0.0 => known((1.0 - expires / levels.keys).clamp(0.0, 1.0)),
            Some(_) => Reading::unavailable("the server holds no keys"),
            None => Reading::unavailable("needs INFO keyspace: connect to Redis"),
        };
        readings.insert(R::NoTtlRatio, without);
    }
}
