//! What actions have written down, in the store.

use cachescope_actions::clock::Clock;
use cachescope_actions::records::{AuditEntry, Recorded, Records};
use cachescope_actions::run_state::RunRecord;
use cachescope_actions::{Failure, FailureKind};
use cachescope_store::{NewAuditRow, Store, StoreError};

use crate::wire::{WireError, WireErrorCode};

/// The store as actions see it.
pub(super) struct StoreRecords<C> {
    pub(super) store: Store,
    pub(super) clock: C,
}

pub(super) fn storage(error: StoreError) -> Failure {
    Failure::new(FailureKind::Storage, error.to_string(), "")
}

impl<C: AsRef<dyn Clock> + Send + Sync> Records for StoreRecords<C> {
    fn keep_approval<'a>(&'a self, token_hash: String, document: String) -> Recorded<'a, ()> {
        Box::pin(async move { self.store.keep_approval(token_hash, document).await.map_err(storage) })
    }

    fn take_approval<'a>(&'a self, token_hash: String) -> Recorded<'a, Option<String>> {
        Box::pin(async move { self.store.take_approval(token_hash).await.map_err(storage) })
    }

    fn save_run<'a>(&'a self, record: &'a RunRecord) -> Recorded<'a, ()> {
        Box::pin(async move {
            let document = serde_json::to_string(record)
                .map_err(|error| Failure::new(FailureKind::Storage, error.to_string(), ""))?;
            let state = &record.state;
            self.store.save_run(&state.run, &state.deployment.0, state.began, document).await.map_err(storage)
        })
    }

    fn audit<'a>(&'a self, entry: AuditEntry) -> Recorded<'a, ()> {
        let row = NewAuditRow {
            at: self.clock.as_ref().read().wall,
            operator: entry.operator,
            deployment: entry.deployment.0,
            deployment_name: entry.deployment_name,
            event: entry.event,
            run: entry.run,
            reason: entry.reason,
            details: entry.details.to_string(),
        };
        Box::pin(async move { self.store.add_audit(row).await.map_err(storage) })
    }
}

impl From<Failure> for WireError {
    fn from(failure: Failure) -> Self {
        let code = match failure.kind {
            FailureKind::NotApproved => WireErrorCode::NotApproved,
            FailureKind::Refused => WireErrorCode::Refused,
            FailureKind::Locked => WireErrorCode::Locked,
            FailureKind::Server => WireErrorCode::Unreachable,
            FailureKind::Storage => WireErrorCode::Storage,
            FailureKind::NotFound => WireErrorCode::NotFound,
            _ => WireErrorCode::BadInput,
        };
        Self::new(code, failure.sentence).with_remedy(failure.remedy)
    }
}
