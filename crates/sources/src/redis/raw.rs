//! A connection whose replies are read where they lie: for sources that read millions of them.
//!
//! The crate's connection makes a value of its own of every reply and hands it from task to task. Here replies
//! are read one by one out of the receive buffer (RESP2, as HELLO 2 asks for).

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use redis::{Cmd, RedisError, Value};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::command::as_ours;
use super::connect::{CLIENT_NAME, ConnectOptions, Counted};
use super::failure::{broken, refusal, user_of, was_executed};
use super::hello::{ServerHello, parse_hello};
use super::stream::{self, FirstBytes, Reading, ServerStream, no_answer};
use super::target::RedisTarget;
use crate::error::{ErrorCode, SourceError};

/// Size of the receive buffer to begin with; it grows to the largest reply.
const BUFFER: usize = 64 * 1024;
/// The longest string, and the most elements of a list, that a reply may announce: twice what Redis has.
const LONGEST: usize = 1 << 30;
/// Bytes that are sent under one deadline.
const SENT_AT_ONCE: usize = 1 << 20;

/// One reply, or the head of one.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    Int(i64),
    Nil,
    /// Bytes that now lie in [`RawConnection::bytes`].
    Bulk,
    /// A status such as `OK` or `string`, which lies there too.
    Status,
    /// So many replies follow.
    Array(usize),
    /// An error; of type [`Value::ServerError`].
    Error(Value),
    /// A string longer than wanted was skipped.
    TooLong,
}

/// A connection that is written to and read from by hand. Whoever uses it holds the node's gate and counts what
/// is sent. After an error it must not be used again.
pub(super) struct RawConnection {
    stream: ServerStream,
    target: Arc<RedisTarget>,
    first: FirstBytes,
    deadline: Duration,
    database: u16,
    hello: ServerHello,
    output: Vec<u8>,
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// Where the bytes of the last string lie.
    last: (usize, usize),
    _counted: Counted,
}

impl std::fmt::Debug for RawConnection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RawConnection").field("target", &self.target).finish_non_exhaustive()
    }
}

impl RawConnection {
    /// Connects and introduces itself; `commands` counts what the server executed of it.
    pub(super) async fn open(
        target: &Arc<RedisTarget>,
        options: &ConnectOptions,
        open: &Arc<AtomicU64>,
        commands: &mut u64,
    ) -> Result<Self, SourceError> {
        let stream = stream::open(target, options, Reading::AtOnce).await?;
        let mut connection = Self {
            first: stream.first_bytes(),
            stream,
            target: Arc::clone(target),
            deadline: options.command_timeout,
            database: 0,
            hello: ServerHello::default(),
            output: Vec::new(),
            input: vec![0; BUFFER],
            start: 0,
            end: 0,
            last: (0, 0),
            _counted: Counted::new(open),
        };
        connection.introduce(commands).await?;
        Ok(connection)
    }

    async fn introduce(&mut self, commands: &mut u64) -> Result<(), SourceError> {
        let mut hello = redis::cmd("HELLO");
        hello.arg(2);
        if let Some(password) = self.target.password() {
            hello.arg("AUTH").arg(user_of(&self.target)).arg(password.expose_secret());
        }
        hello.arg("SETNAME").arg(CLIENT_NAME);
        match self.ask(&hello, "HELLO", commands).await? {
            Value::ServerError(error)
                if error.code() == "NOPROTO"
                    || error.details().is_some_and(|details| details.starts_with("unknown command")) => {}
            Value::ServerError(error) => return Err(refusal(&self.target, "HELLO", &error)),
            reply => {
                self.hello = parse_hello(&reply);
                return Ok(());
            }
        }
        // Before Redis 6.0 there is no HELLO.
        if let Some(password) = self.target.password() {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = self.target.user() {
                auth.arg(user);
            }
            auth.arg(password.expose_secret());
            if let Value::ServerError(error) = self.ask(&auth, "AUTH", commands).await? {
                return Err(refusal(&self.target, "AUTH", &error));
            }
        }
        Ok(())
    }

    /// Asks one command with a reply of any kind. Nothing else may be under way.
    pub(super) async fn ask(
        &mut self,
        command: &Cmd,
        name: &str,
        commands: &mut u64,
    ) -> Result<Value, SourceError> {
        *commands += 1;
        self.output.extend_from_slice(&as_ours(command).get_packed_command());
        self.flush(name).await?;
        loop {
            self.fill(name).await?;
            // Nothing else is under way: what can't be read yet is not complete yet.
            if let Ok(value) = redis::parse_redis_value(&self.input[self.start..self.end]) {
                self.start = self.end;
                *commands -= u64::from(!was_executed(&value));
                return Ok(value);
            }
        }
    }

    /// What the server said of itself.
    pub(super) fn hello(&self) -> &ServerHello {
        &self.hello
    }

    /// The database it is in.
    pub(super) fn database(&self) -> u16 {
        self.database
    }

    /// Chooses a database; `commands` counts.
    pub(super) async fn select(&mut self, database: u16, commands: &mut u64) -> Result<(), SourceError> {
        match self.ask(redis::cmd("SELECT").arg(database), "SELECT", commands).await? {
            Value::ServerError(error) => Err(refusal(&self.target, "SELECT", &error)),
            _ => {
                self.database = database;
                Ok(())
            }
        }
    }

    /// Adds a command to what the next [`flush`](Self::flush) sends, its name spelled as ours are.
    pub(super) fn add(&mut self, arguments: &[&[u8]]) {
        push_head(&mut self.output, b'*', arguments.len());
        for (place, argument) in arguments.iter().enumerate() {
            push_head(&mut self.output, b'$', argument.len());
            self.output.extend_from_slice(argument);
            if place == 0
                && let Some(last) = self.output.last_mut()
            {
                last.make_ascii_lowercase();
            }
            self.output.extend_from_slice(b"\r\n");
        }
    }

    /// Sends what was added.
    pub(super) async fn flush(&mut self, name: &str) -> Result<(), SourceError> {
        let output = std::mem::take(&mut self.output);
        let sent = self.send(&output, name).await;
        self.output = output;
        self.output.clear();
        sent
    }

    /// Sends commands that are packed already. The deadline is for each part, so that a large value on a slow line is
    /// no server that hangs.
    pub(super) async fn send(&mut self, packed: &[u8], name: &str) -> Result<(), SourceError> {
        for part in packed.chunks(SENT_AT_ONCE) {
            match timeout(self.deadline, self.stream.write_all(part)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(self.failed(name, error)),
                Err(_) => return Err(no_answer(&self.target.to_string(), self.deadline)),
            }
        }
        match timeout(self.deadline, self.stream.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.failed(name, error)),
            Err(_) => Err(no_answer(&self.target.to_string(), self.deadline)),
        }
    }

    /// Reads the next reply as a value of its own; an error reply is one.
    pub(super) async fn value(&mut self, name: &str) -> Result<Value, SourceError> {
        let (from, to) = self.line(name).await?;
        let kind = self.input.get(from).copied().unwrap_or_default();
        let rest = &self.input[(from + 1).min(to)..to];
        match kind {
            b':' => number(rest).map(Value::Int).ok_or_else(|| self.unreadable(name)),
            b'+' if rest == b"OK" => Ok(Value::Okay),
            b'+' => Ok(Value::SimpleString(String::from_utf8_lossy(rest).into_owned())),
            b'-' => match redis::parse_redis_value(&self.input[from..to + 2]) {
                Ok(error @ Value::ServerError(_)) => Ok(error),
                _ => Err(self.unreadable(name)),
            },
            b'$' | b'*' => match number(rest).map(usize::try_from) {
                Some(Err(_negative)) => Ok(Value::Nil),
                Some(Ok(length)) if length > LONGEST => Err(self.unreadable(name)),
                Some(Ok(length)) if kind == b'$' => self.owned(length, name).await.map(Value::BulkString),
                Some(Ok(length)) => {
                    let mut values = Vec::with_capacity(length.min(BUFFER));
                    for _ in 0..length {
                        values.push(Box::pin(self.value(name)).await?);
                    }
                    Ok(Value::Array(values))
                }
                None => Err(self.unreadable(name)),
            },
            _ => Err(self.unreadable(name)),
        }
    }

    /// A string of its own. One that is longer than the buffer is read to where it stays.
    async fn owned(&mut self, length: usize, name: &str) -> Result<Vec<u8>, SourceError> {
        if length + 2 <= self.input.len() {
            while self.end - self.start < length + 2 {
                self.fill(name).await?;
            }
            let string = self.input[self.start..self.start + length].to_vec();
            self.start += length + 2;
            return Ok(string);
        }
        let here = length.min(self.end - self.start);
        let mut string = self.input[self.start..self.start + here].to_vec();
        self.start += here;
        while string.len() < length {
            // No more room than what has come gives reason to, whatever length was announced.
            string.reserve_exact((length - string.len()).min(string.len().max(BUFFER)));
            let mut rest = (&mut self.stream).take((length - string.len()) as u64);
            match timeout(self.deadline, rest.read_buf(&mut string)).await {
                Ok(Ok(0)) => return Err(self.failed(name, std::io::ErrorKind::UnexpectedEof.into())),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(self.failed(name, error)),
                Err(_) => return Err(no_answer(&self.target.to_string(), self.deadline)),
            }
        }
        while self.end - self.start < 2 {
            self.fill(name).await?;
        }
        self.start += 2;
        Ok(string)
    }

    /// The bytes of the last string that was read.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.input[self.last.0..self.last.1]
    }

    /// Reads the next reply; strings longer than `longest` are skipped. `name` is for the words of an error.
    pub(super) async fn reply(&mut self, name: &str, longest: usize) -> Result<Reply, SourceError> {
        let (from, to) = self.line(name).await?;
        let kind = self.input.get(from).copied().unwrap_or_default();
        let rest = &self.input[(from + 1).min(to)..to];
        match kind {
            b':' => number(rest).map(Reply::Int).ok_or_else(|| self.unreadable(name)),
            b'$' | b'*' => match (kind, number(rest)) {
                (_, Some(..0)) => Ok(Reply::Nil),
                (b'*', Some(length)) => Ok(Reply::Array(usize::try_from(length).unwrap_or(usize::MAX))),
                (_, Some(length)) => self.string(usize::try_from(length).unwrap_or(0), longest, name).await,
                (_, None) => Err(self.unreadable(name)),
            },
            b'+' => {
                self.last = (from + 1, to);
                Ok(Reply::Status)
            }
            b'-' => match redis::parse_redis_value(&self.input[from..to + 2]) {
                Ok(error @ Value::ServerError(_)) => Ok(Reply::Error(error)),
                _ => Err(self.unreadable(name)),
            },
            _ => Err(self.unreadable(name)),
        }
    }

    async fn string(&mut self, length: usize, longest: usize, name: &str) -> Result<Reply, SourceError> {
        if length > longest {
            let mut left = length + 2;
            loop {
                let here = left.min(self.end - self.start);
                self.start += here;
                left -= here;
                if left == 0 {
                    return Ok(Reply::TooLong);
                }
                self.fill(name).await?;
            }
        }
        while self.end - self.start < length + 2 {
            self.fill(name).await?;
        }
        self.last = (self.start, self.start + length);
        self.start += length + 2;
        Ok(Reply::Bulk)
    }

    /// The next line without its end, as places in the buffer.
    async fn line(&mut self, name: &str) -> Result<(usize, usize), SourceError> {
        let mut searched = 0;
        loop {
            let unread = &self.input[self.start + searched..self.end];
            if let Some(found) = unread.iter().position(|byte| *byte == b'\n') {
                let to = self.start + searched + found;
                let from = std::mem::replace(&mut self.start, to + 1);
                return Ok((from, to.saturating_sub(1).max(from)));
            }
            searched = self.end - self.start;
            self.fill(name).await?;
        }
    }

    /// Reads more; what was not used up moves to the front.
    async fn fill(&mut self, name: &str) -> Result<(), SourceError> {
        if self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.input.len() {
            self.input.resize(self.input.len() * 2, 0);
        }
        match timeout(self.deadline, self.stream.read(&mut self.input[self.end..])).await {
            Ok(Ok(0)) => Err(self.failed(name, std::io::ErrorKind::UnexpectedEof.into())),
            Ok(Ok(read)) => {
                self.end += read;
                Ok(())
            }
            Ok(Err(error)) => Err(self.failed(name, error)),
            Err(_) => Err(no_answer(&self.target.to_string(), self.deadline)),
        }
    }

    fn failed(&self, name: &str, error: std::io::Error) -> SourceError {
        broken(&self.target, name, &RedisError::from(error), &self.first.get())
    }

    /// Words for a reply that makes no sense.
    pub(super) fn unreadable(&self, name: &str) -> SourceError {
        let target = &self.target;
        SourceError::new(
            ErrorCode::Protocol,
            format!("{target} sent a reply to {name} that can't be read"),
            "check what stands between here and the server, such as a proxy",
        )
    }
}

pub(super) fn push_head(output: &mut Vec<u8>, kind: u8, number: usize) {
    output.push(kind);
    let mut digits = [0u8; 20];
    let mut place = digits.len();
    let mut rest = number;
    loop {
        place -= 1;
        digits[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    output.extend_from_slice(&digits[place..]);
    output.extend_from_slice(b"\r\n");
}

fn number(digits: &[u8]) -> Option<i64> {
    let (negative, digits) = match digits.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return std::str::from_utf8(digits).ok()?.parse().ok();
    }
    let mut value = 0i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_written_as_the_protocol_has_them() {
        for value in [0i64, 7, -1, -2, 10, 999_999_999_999_999_999, i64::MAX] {
            assert_eq!(number(value.to_string().as_bytes()), Some(value));
        }
        for bad in ["", "-", "1a", "+1", "99999999999999999999"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
        let mut output = Vec::new();
        push_head(&mut output, b'$', 0);
        push_head(&mut output, b'*', 1_234_567);
        assert_eq!(output, b"$0\r\n*1234567\r\n");
    }
}
