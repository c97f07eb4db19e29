//! One program a state directory: a second start shows the first's window, hands over what it was asked, and ends.
//!
//! The first one holds a lock on a file, which the system takes back however it ends, and listens on a socket beside
//! it. Both lie in the state directory, so what belongs together is told apart by what it works on, and only its
//! owner gets to the socket. No message bus is needed.

use std::fs::{File, TryLockError};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use cachescope_app::App;
use cachescope_app::host::open_in_state_directory;
use tauri::AppHandle;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};

use crate::launch::Asked;

const LOCK: &str = "window.lock";
const SOCKET: &str = "window.sock";

/// Longest words that are handed over, in bytes: a link and some options.
const MOST_BYTES: u64 = 16 * 1024;

/// The first one may still be starting; after this it hangs.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// Whoever connects says what it wants at once.
const SAID_WITHIN: Duration = Duration::from_secs(2);

/// What the first one answers.
const ANSWER: &str = "heard\n";

/// How this start stands to others.
pub(crate) enum Claim {
    /// There is no other.
    First(First),
    /// Another one has taken over what was asked.
    HandedOver,
    /// Another one holds the state directory, and does not answer.
    Unheard,
}

/// Being the only one, for as long as this lives.
pub(crate) struct First {
    /// `None` where the state directory can't be used: then there is nothing that two could quarrel about.
    held: Option<(File, UnixListener)>,
}

/// Becomes the first one, or hands `words` over to it.
pub(crate) fn claim(directory: &Path, words: &[String]) -> Claim {
    let lock = match open_in_state_directory(directory, LOCK) {
        Ok(lock) => lock,
        Err(error) => return alone(&error),
    };
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => {
                return match listen(&directory.join(SOCKET)) {
                    Ok(listener) => Claim::First(First { held: Some((lock, listener)) }),
                    Err(error) => alone(&error),
                };
            }
            Err(TryLockError::Error(error)) => return alone(&error),
            Err(TryLockError::WouldBlock) => {}
        }
        // Tried anew with the lock: the first one may be ending just now.
        if hand_over(&directory.join(SOCKET), words).is_ok() {
            return Claim::HandedOver;
        }
        if begun.elapsed() > HEARD_WITHIN {
            return Claim::Unheard;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn alone(error: &std::io::Error) -> Claim {
    tracing::warn!("a second start will open a window of its own: {error}");
    Claim::First(First { held: None })
}

fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    // Whoever left it behind is gone: this one holds the lock.
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn hand_over(socket: &Path, words: &[String]) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(SAID_WITHIN))?;
    stream.set_write_timeout(Some(SAID_WITHIN))?;
    let line = serde_json::to_string(words)?;
    stream.write_all(line.as_bytes())?;
    stream.write_all(b"\n")?;
    let mut answer = String::new();
    BufReader::new(stream).take(ANSWER.len() as u64).read_line(&mut answer)?;
    if answer == ANSWER { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

impl First {
    /// Carries out what later starts hand over, as long as the program runs.
    pub(crate) fn carry_out(self, shell: AppHandle, app: App) {
        let Some((lock, listener)) = self.held else { return };
        tauri::async_runtime::spawn(async move {
            let _held = lock;
            let listener = match tokio::net::UnixListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::warn!("later starts are not heard: {error}");
                    return;
                }
            };
            // One after the other: each has said what it wants within seconds, and nobody else gets here.
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        if let Some(words) = heard(stream).await {
                            Asked::of(words).begin_again(&shell, &app);
                        }
                    }
                    Err(error) => {
                        tracing::warn!("a later start was not heard: {error}");
                        tokio::time::sleep(SAID_WITHIN).await;
                    }
                }
            }
        });
    }
}

/// What one later start wants; `None` where it does not say so in time, or in too many words.
async fn heard(stream: tokio::net::UnixStream) -> Option<Vec<String>> {
    let said = async {
        let (reading, mut writing) = stream.into_split();
        let mut line = String::new();
        tokio::io::BufReader::new(reading).take(MOST_BYTES).read_line(&mut line).await.ok()?;
        let words = serde_json::from_str(&line).ok()?;
        writing.write_all(ANSWER.as_bytes()).await.ok()?;
        Some(words)
    };
    tokio::time::timeout(SAID_WITHIN, said).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_start_is_the_first_until_it_ends_and_leaves_nothing_in_the_way_of_the_next() {
        let directory = tempfile::tempdir().expect("a directory");
        for _ in 0..2 {
            let claim = claim(directory.path(), &[]);
            assert!(matches!(claim, Claim::First(First { held: Some(_) })));
        }
    }

    #[test]
    fn words_are_handed_over_and_answered() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join(SOCKET);
        let listener = listen(&socket).expect("a socket");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let words = vec!["cachescope://deployment/a".to_owned(), "\n".to_owned()];
        let said = words.clone();
        let saying = std::thread::spawn(move || hand_over(&socket, &said));
        let heard = runtime.block_on(async {
            let listener = tokio::net::UnixListener::from_std(listener).expect("it listens");
            let (stream, _) = listener.accept().await.expect("somebody comes");
            heard(stream).await
        });
        assert_eq!(heard, Some(words));
        saying.join().expect("it ends").expect("it is answered");
    }

    #[test]
    fn the_state_directory_that_can_not_be_used_keeps_nobody_from_starting() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        std::fs::write(&file, "").expect("it is writable");
        assert!(matches!(claim(&file.join("below"), &[]), Claim::First(First { held: None })));
    }
}
