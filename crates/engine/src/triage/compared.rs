//! What several alerts of one moment need: comparisons over all namespaces are made once.

use std::rc::Rc;

use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::triage::CauseShare;

use super::Spans;
use super::shares::Change;
use crate::engine::Engine;

/// Which comparison: of what, over which spans.
type Compares = (R, Spans);

/// Comparisons that have been made for alerts of the same moment. Alerts of one cause begin at one time, so that most
/// of them ask for the same.
#[derive(Debug, Default)]
pub struct Compared {
    changes: Vec<(Compares, Rc<[Change]>)>,
    causes: Vec<(Spans, Vec<CauseShare>)>,
}

impl Compared {
    /// Nothing yet; to be made anew for every moment.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A reading of every namespace, before and now.
    pub(super) fn changes(&mut self, engine: &Engine, kind: R, spans: Spans) -> Rc<[Change]> {
        if let Some((_, known)) = self.changes.iter().find(|(of, _)| *of == (kind, spans)) {
            return Rc::clone(known);
        }
        let rows = engine.rows.live().map(|(row, _)| row);
        let made: Rc<[Change]> = engine.changes(kind, spans, rows).into();
        self.changes.push(((kind, spans), Rc::clone(&made)));
        made
    }

    /// Which causes of misses grew over all namespaces.
    pub(super) fn causes(&mut self, engine: &Engine, spans: Spans) -> Vec<CauseShare> {
        if let Some((_, known)) = self.causes.iter().find(|(of, _)| *of == spans) {
            return known.clone();
        }
        let made = engine.causes_of_change(None, spans);
        self.causes.push((spans, made.clone()));
        made
    }
}
