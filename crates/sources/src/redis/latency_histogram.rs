//! LATENCY HISTOGRAM (since Redis 7.0): how long the commands that read values ran, in the same breath as INFO.
//!
//! Measured: about 0.01 ms of the server's main thread a command asked for, so only those are asked for, and
//! seldom. The reply leaves out buckets without calls of their own, and commands that were never called.

use std::time::{Duration, Instant};

use cachescope_model::observation::Observed;
use cachescope_model::read_commands::READ_COMMANDS;
use cachescope_model::sample::CommandLatency;
use redis::Value;

use super::command::text;
use super::node::Gate;
use super::permissions::is_refusal;
use crate::error::{ErrorCode, SourceError};

/// What is refused is asked for again after so many intervals, and so often is looked whether it is switched on.
const SELDOM: u32 = 12;
/// Buckets of one command read; powers of two from a microsecond to the server's largest, a second, are 21.
const MOST_BUCKETS: usize = 64;

/// Asks for histograms now and then.
#[derive(Debug)]
pub(super) struct LatencyHistograms {
    every: Duration,
    due: Option<Instant>,
    look_due: Option<Instant>,
}

impl LatencyHistograms {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, due: None, look_due: None }
    }

    /// Asks, if it is time. A connection that breaks here says nothing: INFO will find out.
    pub(super) async fn ask_if_due(&mut self, gate: &mut Gate<'_>) -> Option<Observed> {
        let now = Instant::now();
        if self.due.is_some_and(|due| now < due) {
            return None;
        }
        self.due = Some(now + self.every);
        let asked = self.ask(gate, now).await;
        match asked {
            Ok(seen) => Some(seen),
            Err(error) if is_refusal(&error) => {
                self.due = Some(now + self.every * SELDOM);
                Some(Observed::NoCommandLatencies(why(&error)))
            }
            Err(_) => None,
        }
    }

    async fn ask(&mut self, gate: &mut Gate<'_>, now: Instant) -> Result<Observed, SourceError> {
        if self.look_due.is_none_or(|due| now >= due) {
            self.look_due = Some(now + self.every * SELDOM);
            if is_switched_off(gate).await? {
                self.due = self.look_due;
                return Ok(Observed::NoCommandLatencies(
                    "the server does not time its commands; CONFIG SET latency-tracking yes".to_owned(),
                ));
            }
        }
        let mut command = redis::cmd("LATENCY");
        command.arg("HISTOGRAM");
        READ_COMMANDS.iter().for_each(|name| {
            command.arg(*name);
        });
        let reply = gate.ask(&command).await?;
        let own = gate.own().gets;
        parse(&reply, own).map(Observed::CommandLatencies).ok_or_else(|| {
            SourceError::new(ErrorCode::Protocol, "the reply to LATENCY HISTOGRAM can't be read", "")
        })
    }
}

/// Whether `latency-tracking` is off: then histograms stand still. Where the setting can't be read, nobody knows.
async fn is_switched_off(gate: &mut Gate<'_>) -> Result<bool, SourceError> {
    match gate.ask(redis::cmd("CONFIG").arg("GET").arg("latency-tracking")).await {
        Ok(reply) => {
            let pairs = pairs(&reply).unwrap_or_default();
            Ok(pairs.iter().any(|(_, value)| text(value).as_deref() == Some("no")))
        }
        Err(error) if is_refusal(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn why(error: &SourceError) -> String {
    match error.kind() {
        ErrorCode::Permission => format!("{error}; {}", error.remedy()),
        ErrorCode::Busy => error.to_string(),
        // Before 7.0, LATENCY knows no HISTOGRAM; where it is renamed or left out, nobody knows LATENCY.
        _ => {
            "this server has no LATENCY HISTOGRAM, which came with Redis 7.0; INFO tells the mean".to_owned()
        }
    }
}

/// Histograms by command. `own_gets` are our own calls of GET.
fn parse(reply: &Value, own_gets: u64) -> Option<Vec<CommandLatency>> {
    let commands = pairs(reply)?;
    Some(commands.iter().filter_map(|(name, histogram)| one(&text(name)?, histogram, own_gets)).collect())
}

fn one(name: &str, histogram: &Value, own_gets: u64) -> Option<CommandLatency> {
    let fields = pairs(histogram)?;
    let field = |wanted: &str| {
        fields.iter().find(|(name, _)| text(name).as_deref() == Some(wanted)).map(|(_, value)| *value)
    };
    let counts = pairs(field("histogram_usec")?)?;
    let buckets =
        counts.iter().take(MOST_BUCKETS).map(|(bound, calls)| Some((number(bound)?, number(calls)?)));
    let command = name.to_ascii_lowercase();
    Some(CommandLatency {
        own: if command == "get" { own_gets } else { 0 },
        command: command.into(),
        calls: number(field("calls")?)?,
        buckets: buckets.collect::<Option<Vec<_>>>()?,
    })
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// A map as RESP3 has it, or a flat list as RESP2 has it.
fn pairs(value: &Value) -> Option<Vec<(&Value, &Value)>> {
    match value {
        Value::Map(pairs) => Some(pairs.iter().map(|(name, value)| (name, value)).collect()),
        Value::Array(flat) => Some(flat.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(word: &str) -> Value {
        Value::BulkString(word.as_bytes().to_vec())
    }

    #[test]
    fn both_protocols_say_the_same_and_our_own_gets_stand_beside() {
        let counts = [(1, 5), (4, 8), (33, 9)];
        let flat =
            counts.iter().flat_map(|(bound, calls)| [Value::Int(*bound), Value::Int(*calls)]).collect();
        let map = counts.iter().map(|(bound, calls)| (Value::Int(*bound), Value::Int(*calls))).collect();
        let in_resp2 = Value::Array(vec![
            word("GET"),
            Value::Array(vec![word("calls"), Value::Int(9), word("histogram_usec"), Value::Array(flat)]),
        ]);
        let in_resp3 = Value::Map(vec![(
            word("GET"),
            Value::Map(vec![(word("calls"), Value::Int(9)), (word("histogram_usec"), Value::Map(map))]),
        )]);
        let expected = CommandLatency {
            command: "get".into(),
            calls: 9,
            own: 3,
            buckets: vec![(1, 5), (4, 8), (33, 9)],
        };
        assert_eq!(parse(&in_resp2, 3), Some(vec![expected.clone()]));
        assert_eq!(parse(&in_resp3, 3), Some(vec![expected]));
    }

    #[test]
    fn what_is_no_histogram_is_left_out() {
        assert_eq!(parse(&Value::Nil, 0), None);
        assert_eq!(parse(&Value::Array(Vec::new()), 0), Some(Vec::new()), "nothing was called yet");
        let odd =
            Value::Array(vec![word("get"), Value::Int(3), word("mget"), Value::Array(vec![word("calls")])]);
        assert_eq!(parse(&odd, 0), Some(Vec::new()));
    }
}
