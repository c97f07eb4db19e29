//! The servers one by one, by their own INFO.

use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::server::ServerInfo;
use cachescope_model::snapshot::PartSnapshot;

use super::application::NO_TRAFFIC;
use super::event_rates;
use super::view::{LEAST_SECONDS, View};
use crate::engine::Engine;
use crate::server::Node;
use crate::window::Count;

const SOURCE: &str = "INFO";
const ANSWERED_ONCE: &str = "the server answered once in this window; a rate needs a second answer";

/// In the order of the snapshot's `nodes`.
pub(super) fn by_node(engine: &Engine, view: &View<'_>) -> Vec<PartSnapshot> {
    let part = |(node, info): (&Node, &ServerInfo)| PartSnapshot {
        name: node.name.to_string(),
        title: node.name.to_string(),
        readings: readings(view, node, info),
    };
    engine.server.live(view.now_ms).map(part).collect()
}

fn readings(view: &View<'_>, node: &Node, info: &ServerInfo) -> Readings {
    let mut readings = Readings::new();
    let seconds = node.covered_seconds(&view.server.range);
    let sum = |count: Count| node.tally.sum(count, &view.server.range) as f64;
    let over = |value: f64| {
        if seconds >= LEAST_SECONDS {
            Reading::exact(value, SOURCE, seconds)
        } else {
            Reading::unavailable(ANSWERED_ONCE)
        }
    };
    let ratio = |part: f64, whole: f64, nothing: &'static str| {
        if seconds >= LEAST_SECONDS && whole <= 0.0 {
            Reading::unavailable(nothing)
        } else {
            over(part / whole)
        }
    };
    let lookups = sum(Count::ServerHits) + sum(Count::ServerMisses);
    readings.insert(R::HitRate, ratio(sum(Count::ServerHits), lookups, NO_TRAFFIC));
    readings.insert(R::LookupsPerSecond, over(lookups / seconds));
    readings.insert(R::MissesPerSecond, over(sum(Count::ServerMisses) / seconds));
    readings.insert(R::CommandsPerSecond, over(sum(Count::ServerCommands) / seconds));
    readings.insert(R::ExpirationsPerSecond, over(sum(Count::ServerExpired) / seconds));
    let evictions = over(sum(Count::ServerEvicted) / seconds);
    readings.insert(R::EvictionRatio, event_rates::ratio(&evictions, &readings[&R::LookupsPerSecond]));
    readings.insert(R::EvictionsPerSecond, evictions);
    let execution = ratio(
        sum(Count::ReadMicros) / 1e6,
        sum(Count::ReadCalls),
        "no read command ran in this window, or INFO commandstats is not permitted",
    );
    readings.insert(R::ExecutionMeanSeconds, execution);
    levels(info, &mut readings);
    readings
}

fn levels(info: &ServerInfo, readings: &mut Readings) {
    let level = |value: f64| Reading::exact(value, SOURCE, 0.0);
    let used = info.used_memory as f64;
    readings.insert(R::MemoryBytes, level(used));
    readings.insert(
        R::MemoryRatio,
        match (info.maxmemory, info.total_system_memory) {
            (0, 0) => {
                Reading::unavailable("neither maxmemory nor the system's memory is known: set maxmemory")
            }
            (0, system) => level(used / system as f64)
                .with_reason("no maxmemory is set: this is the share of the system's memory"),
            (limit, _) => level(used / limit as f64),
        },
    );
    readings.insert(R::Keys, level(info.databases.iter().map(|database| database.keys as f64).sum()));
    let clients = info.connected_clients.saturating_sub(info.own.connections);
    readings.insert(R::ConnectedClients, level(clients as f64));
}
