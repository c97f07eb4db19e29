//! Which window is to show what, until it does.

use std::collections::HashMap;

use tokio::sync::watch;

use crate::wire::Place;

/// Places by the name of the window that is to show them. A later one replaces the one before: who clicks twice
/// wants the second.
#[derive(Debug)]
pub(crate) struct Openings(watch::Sender<HashMap<String, Place>>);

impl Default for Openings {
    fn default() -> Self {
        Self(watch::channel(HashMap::new()).0)
    }
}

impl Openings {
    /// Asks a window to show a place.
    pub(crate) fn put(&self, window: &str, place: Place) {
        self.0.send_modify(|open| {
            open.insert(window.to_owned(), place);
        });
    }

    /// Changes when a window is asked.
    pub(crate) fn changes(&self) -> watch::Receiver<HashMap<String, Place>> {
        self.0.subscribe()
    }

    /// What a window is asked to show; it is told once.
    pub(crate) fn take(&self, window: &str) -> Option<Place> {
        let mut taken = None;
        self.0.send_if_modified(|open| {
            taken = open.remove(window);
            false
        });
        taken
    }
}
