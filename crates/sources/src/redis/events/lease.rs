//! A subscription that the server ends by itself unless it is renewed.
//!
//! A process that is stopped reads nothing, and what it is told stays in the server's memory: 32 MiB by default until
//! the server cuts it. So a subscription is taken for less than a second at a time, in one write:
//!
//! ```text
//! HELLO 3 …          introduces us again, because the RESET before has undone it
//! SUBSCRIBE …        the exact channels
//! WAIT 2147… 750     blocks for as long as the lease is, because so many replicas there are not; what is announced
//!                    meanwhile is told all the same
//! CLIENT INFO        tells in `qbuf` how much of what we wrote lies unread at the server
//! RESET              ends the subscription
//! ```
//!
//! As soon as it is in force the next one is written behind it. When its time is up the server runs the rest of this
//! one and the beginning of the next in one go, with nobody else's command in between: no event is missed and none
//! is told twice (held against INFO's misses on Redis 6.2, 7.0 and 8.2 and Valkey 8.1 and 9.1, with and without threads
//! for I/O). Whoever was stopped has written nothing: RESET is the last thing the server finds. Whether the next lease
//! was there in time, the server tells itself: then CLIENT INFO counts at least its bytes.

use std::collections::VecDeque;
use std::time::Duration;

use redis::Value;

use crate::error::SourceError;
use crate::redis::link::{EndsBy, Manners, Request};
use crate::redis::node::Gate;
use crate::redis::permissions::is_refusal;
use crate::redis::target::RedisTarget;

/// How long a lease is, unless much is told. Whoever is stopped right after renewing is told for twice as long; whoever
/// is held up for longer than this misses something. Half a second was tried: a flood of misses by redis-benchmark
/// reaches the server's own limit within 0.6 s all the same.
pub(super) const TERM: Duration = Duration::from_millis(750);
/// The same for those who were held up before.
pub(super) const TERM_OF_THE_LATE: Duration = Duration::from_secs(1);
/// The shortest.
const SHORTEST: Duration = Duration::from_millis(250);
/// What may be told within a lease at the pace of the one before.
const BYTES: f64 = 8e6;
/// Subscribing to more channels than this again and again would be work to the server.
const MOST_CHANNELS: usize = 1_000;
/// More replicas than any server has.
const REPLICAS: &[u8] = b"2147483647";

/// The commands of a subscription, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Introduce,
    Subscribe,
    Block,
    Look,
    End,
    /// Of a subscription without an end: whether it still stands.
    Ping,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Introduce => "HELLO",
            Self::Subscribe => "SUBSCRIBE",
            Self::Block => "WAIT",
            Self::Look => "CLIENT INFO",
            Self::End => "RESET",
            Self::Ping => "PING",
        }
    }
}

/// What is written to subscribe to these channels, for a time or until the connection is closed, and the replies to
/// expect.
pub(super) fn request(
    target: &RedisTarget,
    channels: &[&str],
    term: Option<Duration>,
) -> (Vec<u8>, VecDeque<Step>) {
    let mut request = Request::default();
    request.introduction(target, true);
    let mut words: Vec<&[u8]> = vec![b"SUBSCRIBE"];
    words.extend(channels.iter().map(|channel| channel.as_bytes()));
    request.command(&words);
    let mut steps = VecDeque::from([Step::Introduce, Step::Subscribe]);
    if let Some(term) = term {
        let millis = term.as_millis().to_string();
        request.command(&[b"WAIT", REPLICAS, millis.as_bytes()]);
        request.command(&[b"CLIENT", b"INFO"]);
        request.command(&[b"RESET"]);
        steps.extend([Step::Block, Step::Look, Step::End]);
    }
    (request.bytes, steps)
}

/// How long the next lease is to be where so many bytes a second are told.
pub(super) fn term(bytes_per_second: f64, longest: Duration) -> Duration {
    let term = Duration::try_from_secs_f64(BYTES / bytes_per_second);
    term.map_or(longest, |term| term.clamp(SHORTEST, longest))
}

/// Whether this server ends subscriptions by itself and lets this user ask for it. A replica refuses WAIT.
pub(super) async fn to_be_had(
    gate: &mut Gate<'_>,
    manners: &Manners,
    channels: usize,
) -> Result<bool, SourceError> {
    if manners.ends_by != EndsBy::Reset || manners.hello.role != "master" || channels > MOST_CHANNELS {
        return Ok(false);
    }
    let at_once = redis::cmd("WAIT").arg(0).arg(1).clone();
    for command in [&at_once, redis::cmd("CLIENT").arg("INFO")] {
        match gate.ask(command).await {
            Ok(_) => {}
            Err(error) if is_refusal(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// `… qbuf=3398 …` of CLIENT INFO: bytes that the server has read and not run.
pub(super) fn unread(reply: &Value) -> Option<usize> {
    let text = match reply {
        Value::VerbatimString { text, .. } => text.clone(),
        other => crate::redis::command::text(other)?,
    };
    text.split_ascii_whitespace().find_map(|field| field.strip_prefix("qbuf=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_itself_and_a_subscription_without_one_does_not() {
        let target = RedisTarget::parse("127.0.0.1:6379").expect("an address");
        let channels = ["__keyevent@0__:keymiss"];
        let (leased, steps) = request(&target, &channels, Some(TERM));
        // Names of commands are spelled as ours are.
        let text = String::from_utf8(leased).expect("text").to_uppercase();
        let end = "\r\n750\r\n*2\r\n$6\r\nCLIENT\r\n$4\r\nINFO\r\n*1\r\n$5\r\nRESET\r\n";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(steps.back(), Some(&Step::End));
        let (plain, steps) = request(&target, &channels, None);
        assert!(text.starts_with(&String::from_utf8(plain).expect("text").to_uppercase()));
        assert_eq!(steps, [Step::Introduce, Step::Subscribe]);
    }

    #[test]
    fn the_more_is_told_the_shorter_a_lease_is() {
        for (rate, millis) in [(0.0, 750), (1e6, 750), (16e6, 500), (1e9, 250), (f64::NAN, 750)] {
            assert_eq!(term(rate, TERM), Duration::from_millis(millis), "{rate}");
        }
        assert_eq!((term(0.0, TERM_OF_THE_LATE), term(1e9, TERM_OF_THE_LATE)), (TERM_OF_THE_LATE, SHORTEST));
    }

    #[test]
    fn what_lies_unread_is_read_off_the_servers_words() {
        let line =
            "id=3 addr=127.0.0.1:48830 name=cachescope db=0 sub=1 qbuf=3439 qbuf-free=20266 argv-mem=10\n";
        let verbatim = Value::VerbatimString { format: redis::VerbatimFormat::Text, text: line.to_owned() };
        assert_eq!(unread(&verbatim), Some(3439));
        assert_eq!(unread(&Value::BulkString(line.as_bytes().to_vec())), Some(3439));
        assert_eq!(unread(&Value::SimpleString("id=3".to_owned())), None);
    }
}
