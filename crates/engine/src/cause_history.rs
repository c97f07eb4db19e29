//! Why keys missed, over time.

use cachescope_model::misses::CausePoint;
use cachescope_model::snapshot::MissCauses;
use cachescope_model::time::Timestamp;

use crate::engine::Engine;
use crate::events::MISSES;
use crate::window::Tally;

/// Two days: more is not kept.
const LONGEST_MILLIS: i64 = 172_800_000;
/// More points than a chart can show.
const MOST_POINTS: usize = 10_000;
/// An interval in which events were received for less than this share is a gap.
const LEAST_KNOWN: f64 = 0.5;

impl Engine {
    /// Misses by cause of a namespace (by its template, the empty one is the remainder) or, with `None`, of all:
    /// one point an interval, oldest first, `points` intervals of equal length from `from` to `to`. Empty where
    /// the namespace is not known or the span is empty.
    ///
    /// Points are whole misses that add up: what a slot of the engine's memory holds beyond a point's edge goes
    /// to the next one. Resolution is that of [`Engine::history`].
    #[must_use]
    pub fn cause_history(
        &self,
        namespace: Option<&str>,
        from: Timestamp,
        to: Timestamp,
        points: usize,
    ) -> Vec<CausePoint> {
        let latest = self.now_ms.saturating_add(LONGEST_MILLIS);
        let to_ms = to.millis().clamp(0, latest);
        let from_ms = from.millis().clamp(to_ms.saturating_sub(LONGEST_MILLIS).max(0), latest);
        let points = points.min(MOST_POINTS) as i64;
        if points == 0 || to_ms - from_ms < points {
            return Vec::new();
        }
        let tallies: Vec<&Tally> = match namespace {
            None => self.rows.live().map(|(_, row)| &row.tally).collect(),
            Some(template) => match self.rows.find(template) {
                Some(row) => vec![&self.rows.get(row).tally],
                None => return Vec::new(),
            },
        };
        let end = |point: i64| from_ms + (to_ms - from_ms) * point / points;
        // Shares of slots are carried from point to point, so that no miss is lost or shown twice.
        let mut carried = [0.0; MISSES.len()];
        (1..=points)
            .map(|point| {
                let (start_ms, end_ms) = (end(point - 1), end(point));
                let mut counts = [0u64; MISSES.len()];
                for (place, count) in MISSES.into_iter().enumerate() {
                    let of = |tally: &&Tally| tally.between(count, &self.frame, start_ms, end_ms);
                    let exact = carried[place] + tallies.iter().map(of).sum::<f64>();
                    counts[place] = (exact + 1e-6).floor().max(0.0) as u64;
                    carried[place] = exact - counts[place] as f64;
                }
                let [expired, evicted, deleted, flushed, cold, unknown] = counts;
                let causes = MissCauses { expired, evicted, deleted, flushed, cold, unknown };
                let known = causes.total() > 0 || self.hears_misses(start_ms, end_ms);
                CausePoint { at: Timestamp(end_ms), causes: known.then_some(causes) }
            })
            .collect()
    }

    /// Whether misses were announced during most of an interval, by every node that is listened to.
    fn hears_misses(&self, from_ms: i64, to_ms: i64) -> bool {
        let mut nodes = self.server.nodes().iter().filter(|node| node.subscription.began).peekable();
        nodes.peek().is_some()
            && nodes.all(|node| {
                node.subscription.since(0).is_some_and(|since_ms| {
                    let known_ms = from_ms.max(since_ms);
                    let covered = node.subscription.covered_between(&self.frame, known_ms, to_ms);
                    covered >= LEAST_KNOWN * (to_ms - from_ms) as f64
                })
            })
    }
}
