//! A listener in another server's place, for tests of what must not be sent there.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::LabError;

/// Takes every connection, writes down what comes and answers `+OK`, so that whoever is there goes on speaking.
#[derive(Debug)]
pub struct Eavesdropper {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
}

impl Eavesdropper {
    /// Listens on a port of the system's choice until it is dropped.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self, LabError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(LabError::io("listen"))?;
        let address = listener.local_addr().map_err(LabError::io("listen"))?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&heard);
        let listening = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let into = Arc::clone(&into);
                tokio::spawn(async move {
                    let mut some = [0; 1024];
                    while let Ok(length @ 1..) = stream.read(&mut some).await {
                        into.lock().extend_from_slice(&some[..length]);
                        if stream.write_all(b"+OK\r\n").await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Ok(Self { address, heard, listening })
    }

    /// Where it listens: `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was said so far, in capitals: commands are spelled as their senders like.
    #[must_use]
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock()).to_uppercase()
    }
}

impl Drop for Eavesdropper {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
