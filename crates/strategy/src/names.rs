//! Which names a file defines, and which it uses.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::problem::{Report, nearest};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Namespace,
    DataClass,
    Layer,
    Http,
    Client,
    View,
    Signal,
    Mark,
    Target,
    Rule,
    Playbook,
    Warm,
    Endpoint,
    Bypass,
}

impl Kind {
    /// The name of its tables in the file.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::DataClass => "data_class",
            Self::Layer => "layer",
            Self::Http => "http",
            Self::Client => "client",
            Self::View => "view",
            Self::Signal => "signal",
            Self::Mark => "mark",
            Self::Target => "target",
            Self::Rule => "rule",
            Self::Playbook => "playbook",
            Self::Warm => "warm",
            Self::Endpoint => "endpoint",
            Self::Bypass => "bypass",
        }
    }
}

#[derive(Debug)]
struct Use {
    kind: Kind,
    name: String,
    line: usize,
    place: String,
}

/// Definitions and uses, collected while the file is read and compared at its end.
#[derive(Debug, Default)]
pub(crate) struct Names {
    defined: RefCell<HashMap<(Kind, String), usize>>,
    used: RefCell<Vec<Use>>,
}

impl Names {
    /// Enters a name; returns the line of an earlier definition of the same name.
    pub(crate) fn define(&self, kind: Kind, name: &str, line: usize) -> Option<usize> {
        let mut defined = self.defined.borrow_mut();
        let earlier = defined.get(&(kind, name.to_owned())).copied();
        if earlier.is_none() {
            defined.insert((kind, name.to_owned()), line);
        }
        earlier
    }

    /// Notes that a name is used.
    pub(crate) fn refer(&self, kind: Kind, name: &str, line: usize, place: &str) {
        let place = place.to_owned();
        self.used.borrow_mut().push(Use { kind, name: name.to_owned(), line, place });
    }

    /// Reports every use of a name that nothing defines.
    pub(crate) fn compare(&self, report: &Report<'_>) {
        let defined = self.defined.borrow();
        for used in self.used.borrow().iter() {
            if defined.contains_key(&(used.kind, used.name.clone())) {
                continue;
            }
            let word = used.kind.word();
            let known = defined.keys().filter(|(kind, _)| *kind == used.kind).map(|(_, name)| name.as_str());
            let mut known: Vec<&str> = known.collect();
            known.sort_unstable();
            let remedy = match nearest(&used.name, known.iter().copied()) {
                Some(meant) => format!("write {meant:?}"),
                None if known.is_empty() => format!("add a [[{word}]] with that name"),
                None => format!("write one of {}", known.join(", ")),
            };
            report.error(used.line, &used.place, format!("there is no {word} {:?}; {remedy}", used.name));
        }
    }
}
