//! The rows of the namespace table: documented ones, discovered ones, and the remainder.

use std::sync::Arc;

use cachescope_model::snapshot::NamespaceOrigin;
use cachescope_model::strategy::Strategy;
use cachescope_model::visible::visible;
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::command_times::ReadMix;
use crate::execution::{Histogram, SlowList};
use crate::probes::Probed;
use crate::scan::{Found, PastScans};
use crate::window::{Count, Fold, Frame, Range, Tally};

/// The remainder's row.
pub(crate) const OTHER: u32 = 0;

/// One namespace.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) template: Arc<str>,
    pub(crate) title: String,
    pub(crate) origin: NamespaceOrigin,
    pub(crate) documented_ttl_seconds: Option<f64>,
    /// Longest documented time to live in seconds; keys beyond it are a finding.
    pub(crate) longest_ttl_seconds: Option<f64>,
    pub(crate) hit_rate_target: Option<f64>,
    /// What events said.
    pub(crate) tally: Tally,
    /// Under which of the application's labels it is counted.
    pub(crate) carriers: SmallVec<[u32; 2]>,
    /// Its part of the last complete scan.
    pub(crate) scanned: Option<Box<Found>>,
    /// How long its sampled reads ran.
    pub(crate) executions: Option<Box<Histogram>>,
    /// Its slowest commands.
    pub(crate) slow: SlowList,
    /// The field of its template that holds the tenant.
    pub(crate) tenant_field: Option<Box<str>>,
    /// The field of its template that holds the version.
    pub(crate) version_field: Option<Box<str>>,
    /// What complete scans found.
    pub(crate) scans: PastScans,
    /// With which commands its keys are read, by sample.
    pub(crate) reads: ReadMix,
    /// Our own round trips on its keys.
    pub(crate) probed: Option<Box<Probed>>,
    /// Into which row it went when discovery found that it was part of a wider one.
    merged_into: Option<u32>,
}

impl Row {
    fn new(template: impl Into<Arc<str>>, title: &str, origin: NamespaceOrigin) -> Self {
        Self {
            template: template.into(),
            title: visible(title).into_owned(),
            origin,
            documented_ttl_seconds: None,
            longest_ttl_seconds: None,
            hit_rate_target: None,
            tally: Tally::default(),
            carriers: SmallVec::new(),
            scanned: None,
            executions: None,
            slow: SlowList::default(),
            tenant_field: None,
            version_field: None,
            scans: PastScans::default(),
            reads: ReadMix::default(),
            probed: None,
            merged_into: None,
        }
    }
}

/// All rows by number. Numbers stay valid for ever; [`Rows::resolve`] follows merges.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    rows: Vec<Row>,
    by_template: HashMap<Arc<str>, u32>,
    discovered: usize,
    max_discovered: usize,
}

impl Rows {
    pub(crate) fn new(strategy: &Strategy, max_discovered: usize) -> Self {
        let documented = strategy.namespaces.len();
        let mut rows = Vec::with_capacity(documented + 1);
        rows.push(Row::new("", "Other", NamespaceOrigin::Other));
        let mut by_template = HashMap::with_capacity(documented);
        for namespace in &strategy.namespaces {
            let mut row = Row::new(namespace.template.text(), &namespace.title, NamespaceOrigin::Documented);
            row.documented_ttl_seconds = namespace.ttl.map(|ttl| ttl.as_secs_f64());
            let longest = namespace.facts.ttl_max.or(namespace.ttl).filter(|_| !namespace.facts.permanent);
            row.longest_ttl_seconds = longest.map(|ttl| ttl.as_secs_f64());
            row.hit_rate_target = namespace.hit_rate_target;
            row.tenant_field = namespace.tenant.as_deref().map(Into::into);
            row.version_field = namespace.version.as_deref().map(Into::into);
            by_template.entry(Arc::clone(&row.template)).or_insert(rows.len() as u32);
            rows.push(row);
        }
        Self { rows, by_template, discovered: 0, max_discovered }
    }

    /// Adds a discovered row, or gives the one that has this name; `None` where the bound is reached.
    pub(crate) fn discover(&mut self, template: &str, title: &str) -> Option<u32> {
        if let Some(row) = self.by_template.get(template) {
            return Some(self.resolve(*row));
        }
        if self.discovered >= self.max_discovered {
            return None;
        }
        self.discovered += 1;
        let number = self.rows.len() as u32;
        let row = Row::new(template, title, NamespaceOrigin::Discovered);
        self.by_template.insert(Arc::clone(&row.template), number);
        self.rows.push(row);
        Some(number)
    }

    /// Gives a discovered row the wider name that it turned out to need.
    pub(crate) fn rename(&mut self, row: u32, template: &str) {
        if let Some(known) = self.by_template.get(template).map(|known| self.resolve(*known)) {
            return self.merge(row, known);
        }
        if row == OTHER {
            return;
        }
        let entry = &mut self.rows[row as usize];
        self.by_template.remove(&entry.template);
        entry.template = template.into();
        entry.title = visible(template).into_owned();
        self.by_template.insert(Arc::clone(&entry.template), row);
    }

    /// Adds one discovered row's counts to another's; its number leads there from now on.
    pub(crate) fn merge(&mut self, from: u32, into: u32) {
        if from == into || from == OTHER || self.rows[from as usize].origin != NamespaceOrigin::Discovered {
            return;
        }
        let gone = std::mem::replace(
            &mut self.rows[from as usize],
            Row { merged_into: Some(into), ..Row::new("", "", NamespaceOrigin::Discovered) },
        );
        self.by_template.remove(&gone.template);
        self.discovered -= 1;
        let target = &mut self.rows[into as usize];
        target.tally.merge(&gone.tally);
        if let Some(executions) = gone.executions {
            target.executions.get_or_insert_default().merge(&executions);
        }
        target.slow.merge(gone.slow);
        target.reads.merge(&gone.reads);
        if let Some(probed) = gone.probed {
            target.probed.get_or_insert_default().merge(&probed);
        }
        if let Some(scanned) = gone.scanned {
            target.scanned.get_or_insert_default().merge(&scanned);
        }
    }

    /// The row that holds now what this one held.
    pub(crate) fn resolve(&self, mut row: u32) -> u32 {
        while let Some(next) = self.rows.get(row as usize).and_then(|row| row.merged_into) {
            row = next;
        }
        row
    }

    pub(crate) fn get(&self, row: u32) -> &Row {
        &self.rows[self.resolve(row) as usize]
    }

    pub(crate) fn get_mut(&mut self, row: u32) -> &mut Row {
        let row = self.resolve(row);
        &mut self.rows[row as usize]
    }

    /// The row with this template; the empty one is the remainder.
    pub(crate) fn find(&self, template: &str) -> Option<u32> {
        if template.is_empty() { Some(OTHER) } else { self.by_template.get(template).copied() }
    }

    /// Rows that stand for something, in the order of the table: the remainder last.
    pub(crate) fn live(&self) -> impl Iterator<Item = (u32, &Row)> {
        let numbered = (0u32..).zip(&self.rows);
        let others = numbered.skip(1).filter(|(_, row)| row.merged_into.is_none());
        others.chain(self.rows.first().map(|row| (OTHER, row)))
    }

    /// How many there are, without the remainder.
    pub(crate) fn len(&self) -> usize {
        self.live().count() - 1
    }

    /// Whether the bound on discovered ones is reached.
    pub(crate) fn full(&self) -> bool {
        self.discovered >= self.max_discovered
    }

    pub(crate) fn live_mut(&mut self) -> impl Iterator<Item = (u32, &mut Row)> {
        (0u32..).zip(&mut self.rows).filter(|(_, row)| row.merged_into.is_none())
    }

    /// Counts an event.
    pub(crate) fn count(&mut self, row: u32, count: Count, frame: &Frame, second: i64) {
        self.get_mut(row).tally.add(count, frame, second, 1);
    }

    /// The sum over every row.
    pub(crate) fn total(&self, count: Count, range: &Range) -> u64 {
        self.rows.iter().map(|row| row.tally.sum(count, range)).sum()
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for row in &mut self.rows {
            row.tally.fold(folds);
            if let Some(executions) = &mut row.executions {
                executions.fold(folds);
            }
            row.reads.fold(folds);
            if let Some(probed) = &mut row.probed {
                probed.fold(folds);
            }
        }
    }
}
