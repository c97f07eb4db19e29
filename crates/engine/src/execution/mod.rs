//! How long single commands run inside the server, from a sample of its slow log.
//!
//! A sampled command is counted in the row of its first key, and in the whole deployment's distribution, where it
//! is a read. Slow commands of every kind are remembered by row, a few each.

mod histogram;
mod order;
mod slow;

use cachescope_model::observation::NodeName;
use cachescope_model::sample::{Execution, ExecutionBatch};
use cachescope_model::slow_command::SlowCommand;
use cachescope_model::time::Timestamp;

pub(crate) use histogram::{Distribution, Estimate, Histogram};
pub(crate) use slow::SlowList;

use crate::engine::Engine;
use crate::rows::OTHER;
use crate::server::is_read;
use crate::window::{Count, Fold, Tally};

/// What was sampled of the whole deployment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Executions {
    /// Commands seen and missed by the sample.
    pub(crate) tally: Tally,
    /// Reads over all rows.
    pub(crate) reads: Histogram,
}

impl Executions {
    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        self.tally.fold(folds);
        self.reads.fold(folds);
    }
}

impl Engine {
    pub(crate) fn observe_executions(&mut self, node: &NodeName, at_ms: i64, batch: &ExecutionBatch) {
        let second = at_ms.div_euclid(1000);
        let sampled = batch.threshold_micros == 0;
        if sampled {
            let seen = batch.executions.len() as u64;
            self.executions.tally.add(Count::ExecutionsSeen, &self.frame, second, seen);
            self.executions.tally.add(Count::ExecutionsMissed, &self.frame, second, batch.missed);
        }
        for execution in &batch.executions {
            // The slow log has no database numbers: a template of another database than 0 finds none of its keys.
            let row = match &execution.key {
                Some(key) => self.attribute_or_discover(0, key),
                None => OTHER,
            };
            if sampled && is_read(&execution.command) {
                self.executions.reads.add(&self.frame, second, execution.micros);
                if execution.key.is_some() {
                    let row = self.rows.get_mut(row);
                    row.executions.get_or_insert_default().add(&self.frame, second, execution.micros);
                }
            }
            self.note_slow(node, row, at_ms, execution);
        }
    }

    fn note_slow(&mut self, node: &NodeName, row: u32, at_ms: i64, execution: &Execution) {
        let slow = &mut self.rows.get_mut(row).slow;
        if slow.takes(execution.micros, at_ms) {
            slow.add(at_ms, node, execution);
        }
    }

    /// The slowest commands of the last hour, slowest first, at most ten a namespace; `None` is all namespaces,
    /// the empty name what belongs to none.
    #[must_use]
    pub fn slow_commands(&self, now: Timestamp, namespace: Option<&str>) -> Vec<SlowCommand> {
        let now_ms = now.millis().max(self.now_ms);
        let rows = self.rows.live().filter(|(_, row)| namespace.is_none_or(|name| *name == *row.template));
        let mut found: Vec<_> = rows
            .flat_map(|(_, row)| {
                row.slow.since_an_hour(now_ms).map(|slow| SlowCommand {
                    at: slow.execution.at,
                    node: slow.node.to_string(),
                    namespace: row.template.as_ref().to_owned(),
                    command: slow.execution.command.to_string(),
                    // The slow log has no database numbers.
                    key: slow.execution.key.as_deref().map(|key| self.shown_key(0, key)).unwrap_or_default(),
                    micros: slow.execution.micros,
                })
            })
            .collect();
        found.sort_by(|one, other| other.micros.cmp(&one.micros).then(other.at.cmp(&one.at)));
        found
    }
}
