//! Why a run goes no further. The first reason counts, and everything of the run hears of it at once: a value that is
//! being read is not read to its end, and a batch that was not sent is not sent.

use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// How long what was sent already is waited for. A server that takes longer to answer leaves in doubt what it did.
const GRACE: Duration = Duration::from_millis(120);

pub(super) enum Stop {
    Cancelled,
    Failed(Failure),
}

/// The run ends; [`Ending`] knows why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended;

#[derive(Default)]
pub(super) struct Ending {
    token: CancellationToken,
    why: Mutex<Option<Stop>>,
}

impl Ending {
    /// The run ends for this reason, unless it ends for another one already.
    pub(super) fn because(&self, stop: Stop) -> Ended {
        self.why.lock().get_or_insert(stop);
        self.token.cancel();
        Ended
    }

    /// The value; or the run ends, because there is none.
    pub(super) fn unless<T>(&self, result: Result<T, Failure>) -> Result<T, Ended> {
        result.map_err(|failure| self.because(Stop::Failed(failure)))
    }

    pub(super) fn check(&self) -> Result<(), Ended> {
        if self.token.is_cancelled() { Err(Ended) } else { Ok(()) }
    }

    /// What is waited for; or the run ends meanwhile, and it is dropped.
    pub(super) async fn or<T>(&self, waited_for: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(Ended),
            came = waited_for => Ok(came),
        }
    }

    /// Comes when the run should have ended by itself.
    pub(super) async fn overdue(&self) {
        self.token.cancelled().await;
        tokio::time::sleep(GRACE).await;
    }

    pub(super) fn why(&self) -> Option<Stop> {
        self.why.lock().take()
    }
}
