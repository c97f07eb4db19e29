//! Actions behind the app's door: previews, approvals and runs of every deployment, owned by the app, so that they
//! outlive the window that asked for them.

use crate::app::App;
use crate::wire::{Reply, Request, WireError, WireErrorCode};

impl App {
    /// Answers the requests about actions.
    pub(crate) async fn handle_action(&self, request: Request) -> Result<Reply, WireError> {
        Err(WireError::new(WireErrorCode::Internal, format!("{request:?} is no action")))
    }
}
