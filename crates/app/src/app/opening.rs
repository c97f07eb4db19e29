//! What the app opens at its start; what can't be opened is said and done without.

use std::path::PathBuf;

use cachescope_store::Store;

use crate::custody::Custody;

pub(super) fn open_custody(
    store: Option<Store>,
    directory: PathBuf,
    keeper: Option<PathBuf>,
    notices: &mut Vec<String>,
) -> Option<Custody> {
    match Custody::open(store?, directory, keeper) {
        Ok(custody) => Some(custody),
        Err(error) => {
            notices.push(format!("{error}. No settings of servers are changed."));
            None
        }
    }
}

/// Opens the store off the runtime's threads: it may wait for another process.
pub(super) async fn open_store(directory: PathBuf, notices: &mut Vec<String>) -> Option<Store> {
    match tokio::task::spawn_blocking(move || Store::open(&directory)).await {
        Ok(Ok(store)) => {
            if let Some(kept) = store.set_aside() {
                notices.push(format!(
                    "The list of deployments was damaged and begun anew; the damaged file is kept as {}.",
                    kept.display()
                ));
            }
            Some(store)
        }
        Ok(Err(error)) => {
            notices.push(format!("{error}. Deployments are kept only until this program ends."));
            None
        }
        Err(error) => {
            notices.push(format!("the state directory could not be opened: {error}"));
            None
        }
    }
}
