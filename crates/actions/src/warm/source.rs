//! Where a copy reads: another deployment's servers, or an undo file.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cachescope_sources::redis::TlsOptions;

use super::endpoint::EndpointSecrets;
use crate::failure::Failure;
use crate::servers::Servers;
use crate::undo::UndoReader;

/// Opens an undo file; may be asked again.
pub type OpensUndo = Arc<dyn Fn() -> Result<UndoReader, Failure> + Send + Sync>;

/// Where values are copied from.
#[derive(Clone)]
pub enum CopySource {
    /// The servers of another deployment; replicas may be among them.
    Servers(Servers),
    /// An undo file.
    Undo(OpensUndo),
}

impl fmt::Debug for CopySource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Servers(servers) => formatter.debug_tuple("Servers").field(servers).finish(),
            Self::Undo(_) => formatter.write_str("Undo"),
        }
    }
}

/// What a warm works with besides what every action has.
#[derive(Clone, Debug, Default)]
pub struct WarmContext {
    /// Where a copy reads; `None` where the plan copies nothing.
    pub source: Option<CopySource>,
    /// Secrets of endpoints.
    pub secrets: EndpointSecrets,
    /// Whom endpoints are trusted by.
    pub tls: TlsOptions,
    /// How long to wait for another one that runs the same plan, instead of leaving.
    pub wait_for_lock: Duration,
}

impl WarmContext {
    /// The source of a copy.
    pub(crate) fn source(&self) -> Result<&CopySource, Failure> {
        self.source.as_ref().ok_or_else(|| Failure::bad("it is not known where to copy from", "give --from"))
    }
}
