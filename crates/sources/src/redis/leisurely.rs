//! A socket that is read now and then and not as soon as something comes.
//!
//! A server that publishes writes to a subscriber whenever it has gone through its clients once: on a busy server
//! thousands of times a second, a few events each. Where the subscriber waits for them, each of these writes also has
//! to wake it. Measured with redis-benchmark without pipelines, a tenth of the lookups missing (Redis 7.0.15 on two
//! cores), waking took about as much of the server's time as everything else that the events cost. So nobody waits
//! here: the system is not asked to tell of arrivals, and what has come is read every few milliseconds.
//!
//! After something was written a reply is to be expected: it is looked for after a millisecond, and then less and less
//! often. Looking every millisecond for as long as a burst may last (half a second) took 1.3 % of a core of ours where
//! nothing at all went on.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// From one look to the next.
pub(super) const EVERY: Duration = Duration::from_millis(10);
/// The same right after something was written.
const SOON: Duration = Duration::from_millis(1);
/// A reply is looked for again after such a part of the time for which it has not come: it is read later than it came
/// by that part at most.
const PART: u32 = 4;

/// The socket, which doesn't block. To be made within a runtime.
pub(super) struct Leisurely<S> {
    socket: S,
    written: Instant,
    /// Until the next look; `None` where the last one found something.
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Leisurely<S> {
    pub(super) fn new(socket: S) -> Self {
        Self { socket, written: Instant::now(), reading: None, writing: None }
    }
}

/// Tries until it is done or has to wait; `pause` says for how long.
fn attempt<T>(
    waiting: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
    pause: Duration,
    mut act: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    loop {
        if let Some(sleeping) = waiting {
            ready!(sleeping.as_mut().poll(cx));
            *waiting = None;
        }
        match act() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                *waiting = Some(Box::pin(sleep(pause)))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return Poll::Ready(done),
        }
    }
}

impl<S: Read + Unpin> AsyncRead for Leisurely<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { socket, written, reading, .. } = self.get_mut();
        let pause = (written.elapsed() / PART).clamp(SOON, EVERY);
        let count = ready!(attempt(reading, cx, pause, || socket.read(buf.initialize_unfilled())))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: Write + Unpin> AsyncWrite for Leisurely<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { socket, written, reading, writing } = self.get_mut();
        let count = ready!(attempt(writing, cx, SOON, || socket.write(bytes)))?;
        *written = Instant::now();
        if let Some(sleeping) = reading {
            sleeping.as_mut().reset(*written + SOON);
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, writing, .. } = self.get_mut();
        attempt(writing, cx, SOON, || socket.flush())
    }

    /// Dropping it closes it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn what_is_written_arrives_and_what_comes_is_read_to_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (mut other, _) = listener.accept().await.expect("somebody connects");
        let mut ours = Leisurely::new(stream.into_std().expect("it can be taken out"));
        let sent: Vec<u8> = (0..3_000_000u32).map(|number| number as u8).collect();
        let expected = sent.clone();
        let echo = tokio::spawn(async move {
            let mut heard = vec![0; 5];
            other.read_exact(&mut heard).await.expect("it comes");
            other.write_all(&sent).await.expect("it is taken");
            heard
        });
        ours.write_all(b"hello").await.expect("it is sent");
        let mut read = Vec::new();
        ours.read_to_end(&mut read).await.expect("it ends orderly");
        assert!(read == expected, "{} of {} bytes", read.len(), expected.len());
        assert_eq!(echo.await.expect("it answered"), b"hello");
        let refused = loop {
            if let Err(error) = ours.write_all(b"more").await {
                break error;
            }
        };
        assert!(
            matches!(refused.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
            "{refused}"
        );
    }
}
