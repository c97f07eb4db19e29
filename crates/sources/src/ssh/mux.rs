//! Asking a running `ssh` for a way to an address.
//!
//! The words are those of OpenSSH's own `PROTOCOL.mux`, version 4, which `ssh -W` uses towards a master: a greeting,
//! then a request for a forwarding between an address and two file descriptors that we hand over. The answer comes
//! when the SSH server has connected or could not, so a way that is there leads somewhere, and nobody else on this
//! machine can take it: unlike a port or a socket that listens, it has no name.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;

const VERSION: u32 = 4;
const HELLO: u32 = 0x0000_0001;
const NEW_STDIO_FORWARD: u32 = 0x1000_0008;
const PERMISSION_DENIED: u32 = 0x8000_0002;
const FAILURE: u32 = 0x8000_0003;
const SESSION_OPENED: u32 = 0x8000_0006;
/// Answers are a few words; more is no master.
const MOST_BYTES: u32 = 64 * 1024;
/// Requests of one connection are numbered; there is one.
const REQUEST: u32 = 1;

/// A way to an address. It stands for as long as both of its ends do.
#[derive(Debug)]
pub(crate) struct Way {
    /// What goes in comes out at the address.
    pub(crate) stream: UnixStream,
    /// When this closes, `ssh` takes the way down.
    pub(crate) control: UnixStream,
}

/// Why there is no way.
#[derive(Debug)]
pub(super) enum NoWay {
    /// The SSH server could not connect, or would not.
    Refused,
    /// The master is gone or is none.
    Lost(io::Error),
}

impl From<io::Error> for NoWay {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// Greets the master behind `socket`.
pub(super) async fn greet(socket: &Path) -> io::Result<UnixStream> {
    let mut control = UnixStream::connect(socket).await?;
    let mut hello = Message::new(HELLO);
    hello.number(VERSION);
    control.write_all(&hello.framed()).await?;
    let answer = read(&mut control).await?;
    if number(&answer, 0) != Some(HELLO) || number(&answer, 4) != Some(VERSION) {
        return Err(unreadable());
    }
    Ok(control)
}

/// Asks for a way.
pub(super) async fn open(socket: &Path, host: &str, port: u16) -> Result<Way, NoWay> {
    let mut control = greet(socket).await?;
    let (stream, theirs) = UnixStream::pair()?;
    let mut request = Message::new(NEW_STDIO_FORWARD);
    request.number(REQUEST);
    request.text("");
    request.text(host);
    request.number(u32::from(port));
    control.write_all(&request.framed()).await?;
    // What it reads from, and what it writes to: the same.
    for _ in 0..2 {
        control.async_io(Interest::WRITABLE, || hand_over(&control, theirs.as_fd())).await?;
    }
    drop(theirs);
    let answer = read(&mut control).await?;
    match number(&answer, 0) {
        Some(SESSION_OPENED) => Ok(Way { stream, control }),
        Some(FAILURE | PERMISSION_DENIED) => Err(NoWay::Refused),
        _ => Err(NoWay::Lost(unreadable())),
    }
}

/// Sends one file descriptor with one byte, as `ssh` awaits it.
fn hand_over(control: &UnixStream, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for a file descriptor"));
    }
    sendmsg(control, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "ssh answered what can't be read")
}

async fn read(control: &mut UnixStream) -> io::Result<Vec<u8>> {
    let length = control.read_u32().await?;
    if length > MOST_BYTES {
        return Err(unreadable());
    }
    let mut message = vec![0; length as usize];
    control.read_exact(&mut message).await?;
    Ok(message)
}

fn number(message: &[u8], at: usize) -> Option<u32> {
    let bytes = message.get(at..at + 4)?;
    bytes.try_into().ok().map(u32::from_be_bytes)
}

/// Numbers are four bytes, the most significant first; a text is its length and its bytes (RFC 4251, section 5).
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u32) -> Self {
        Self(kind.to_be_bytes().to_vec())
    }

    fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.0.extend(text.bytes());
    }

    /// With its length before it.
    fn framed(&self) -> Vec<u8> {
        let mut framed = u32::try_from(self.0.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        framed.extend(&self.0);
        framed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    #[test]
    fn a_message_is_written_as_the_protocol_says() {
        let mut hello = Message::new(HELLO);
        hello.number(VERSION);
        hello.text("ab");
        assert_eq!(hello.framed(), [0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2, b'a', b'b']);
    }

    #[tokio::test]
    async fn what_is_no_master_is_told_from_one_that_refuses() {
        let directory = tempfile::tempdir().expect("a directory");
        for answer in [
            &[0xff, 0xff, 0xff, 0xff][..],
            &[0, 0, 0, 0],
            &[0, 0, 0, 3, 1, 2, 3],
            &[0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 9],
            b"-ERR unknown command\r\n",
            b"",
        ] {
            let path = directory.path().join("socket");
            let listener = UnixListener::bind(&path).expect("it can be bound");
            let answering = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("somebody comes");
                // The other side may have gone already.
                let _written = stream.write_all(answer).await;
            });
            let opened = open(&path, "localhost", 1).await;
            assert!(matches!(opened, Err(NoWay::Lost(_))), "{answer:?}: {opened:?}");
            answering.await.expect("it has answered");
            std::fs::remove_file(&path).expect("it is there");
        }
    }
}
