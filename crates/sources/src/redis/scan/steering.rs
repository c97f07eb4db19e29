//! How whoever judges the figures tells a precise scan that they are good enough.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cachescope_model::observation::NodeName;

/// A word from the one who judges to the scans that run. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Steering(Arc<Mutex<HashMap<NodeName, u64>>>);

impl Steering {
    /// The scan of this number on this node has met enough keys.
    pub fn enough(&self, node: &NodeName, scan: u64) {
        let mut enough = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        enough.insert(Arc::clone(node), scan);
    }

    pub(super) fn is_enough(&self, node: &NodeName, scan: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(node) == Some(&scan)
    }
}
