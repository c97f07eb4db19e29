//! The one thread that owns the connection, behind a bounded queue.
//!
//! SQLite blocks, so it never runs on an async thread; and it writes one transaction at a time anyway, so a
//! second writing connection would only wait in `busy_timeout` instead of in the queue.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;

/// Jobs that may wait. When it is full callers wait: nothing is dropped, and nobody can flood memory.
const QUEUE: usize = 64;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Hands jobs to the thread. The thread ends, and closes the connection, when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Writer {
    path: Arc<Path>,
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    pub(crate) fn start(path: &Path, mut connection: Connection) -> io::Result<Self> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        thread::Builder::new().name("store".to_owned()).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut connection);
            }
        })?;
        Ok(Self { path: path.into(), jobs })
    }

    /// The database file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` and waits for its result. A caller that stops waiting does not undo a job already queued.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError::Stopped { path: self.path.to_path_buf() };
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // The caller may have gone; the job is done all the same.
            let _ = answer.send(work(connection));
        });
        self.jobs.send(job).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?.map_err(|error| StoreError::sqlite(&self.path, error))
    }
}
