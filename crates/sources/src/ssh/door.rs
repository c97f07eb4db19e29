//! A way for a library that opens its connections itself: it connects to a socket of ours, and what stands behind it is
//! the way.
//!
//! The socket is there only while one connection is made, in a directory that nobody else may enter, and lets in this
//! process alone. So nobody else gets to the address by it, not even another program of the same user.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;

use super::directory;
use super::mux::Way;

/// Where a library that is given a path gets a way.
#[derive(Debug)]
pub(crate) struct Door {
    path: PathBuf,
    /// One comes in at a time: a way is for whoever it was made for.
    turn: Mutex<()>,
    _directory: TempDir,
}

impl Door {
    /// Nothing listens yet.
    pub(crate) fn new() -> io::Result<Self> {
        let directory = directory::private()?;
        Ok(Self { path: directory.path().join("d"), turn: Mutex::default(), _directory: directory })
    }

    /// What the library is to connect to.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Has `entering` connect to [`Self::path`], and joins its connection to the way. What `entering` does with the
    /// connection may take its time.
    pub(crate) async fn lead<T, E: From<io::Error>>(
        &self,
        way: Way,
        entering: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let turn = self.turn.lock().await;
        // Left there where somebody stopped waiting in the middle.
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let listener = UnixListener::bind(&self.path)?;
        let letting_in = async {
            let stream = ourselves(&listener).await?;
            drop(listener);
            std::fs::remove_file(&self.path)?;
            drop(turn);
            tokio::spawn(join(stream, way));
            Ok(())
        };
        tokio::try_join!(entering, letting_in).map(|(entered, ())| entered)
    }
}

/// The first connection that this very process has made.
async fn ourselves(listener: &UnixListener) -> io::Result<UnixStream> {
    let user = rustix::process::geteuid().as_raw();
    let process = i32::try_from(std::process::id()).ok();
    loop {
        let (stream, _) = listener.accept().await?;
        // Some systems don't say which process it is.
        let is_ours = |peer: tokio::net::unix::UCred| {
            peer.uid() == user && (peer.pid().is_none() || peer.pid() == process)
        };
        if stream.peer_cred().is_ok_and(is_ours) {
            return Ok(stream);
        }
        tracing::warn!("another program came to a door of ours");
    }
}

/// Carries bytes both ways until one side has ended: who asks over HTTP never closes just one direction, and what came
/// from the other end has been handed on by then.
async fn join(stream: UnixStream, way: Way) {
    // The control connection is held: when it closes, the way is taken down.
    let Way { stream: far, control: _control } = way;
    let ((mut near_from, mut near_to), (mut far_from, mut far_to)) = (stream.into_split(), far.into_split());
    let ended = tokio::select! {
        ended = tokio::io::copy(&mut near_from, &mut far_to) => ended,
        ended = tokio::io::copy(&mut far_from, &mut near_to) => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a way broke off");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A way, and what stands at its other end.
    fn way() -> (Way, UnixStream) {
        let (stream, other_end) = UnixStream::pair().expect("a pair");
        let (control, _) = UnixStream::pair().expect("a pair");
        (Way { stream, control }, other_end)
    }

    #[tokio::test]
    async fn each_way_is_for_whom_it_was_made_and_no_socket_stays() {
        let door = Door::new().expect("a directory");
        let lead = async |number: u8| {
            let (way, mut other_end) = way();
            let mut entered = door.lead(way, UnixStream::connect(door.path())).await.expect("it is let in");
            entered.write_all(&[number]).await.expect("it is carried there");
            assert_eq!(other_end.read_u8().await.expect("it comes"), number);
            other_end.write_all(&[number, number]).await.expect("it is carried back");
            drop(other_end);
            let mut back = Vec::new();
            entered.read_to_end(&mut back).await.expect("until the other end has ended");
            assert_eq!(back, [number, number]);
        };
        futures::future::join_all((0..20).map(lead)).await;
        assert!(!door.path().exists(), "nothing listens when nobody is on the way");
    }

    #[tokio::test]
    async fn one_who_gives_up_is_in_nobody_elses_way() {
        let door = Door::new().expect("a directory");
        let (never, _other_end) = way();
        let gave_up = tokio::time::timeout(
            std::time::Duration::from_millis(1),
            door.lead(never, std::future::pending::<io::Result<()>>()),
        );
        assert!(gave_up.await.is_err());
        let (way, mut other_end) = way();
        let entered = door.lead(way, UnixStream::connect(door.path())).await.expect("it is let in");
        drop(entered);
        assert_eq!(other_end.read(&mut [0]).await.expect("the end"), 0, "the way ends with the connection");
    }
}
