//! Tags: the keys that a set names. The set itself is left as it is: a member without its key harms nobody, and a key
//! that is tagged meanwhile must stay tagged.

use std::sync::Arc;

use cachescope_sources::redis::acting::ActingConnection;
use redis::{Pipeline, Value};

use crate::failure::Failure;
use crate::feed::{read, said};
use crate::selection::Selection;
use crate::servers::Servers;

/// Members of one page.
const AT_ONCE: usize = 500;
/// More keys than a tag may have here: they are held in memory.
const MOST_MEMBERS: usize = 1_000_000;

/// A scope with its tag read; any other as it is.
pub(crate) async fn resolve(servers: &Servers, selection: Selection) -> Result<Selection, Failure> {
    let Some(set) = selection.tag_set() else { return Ok(selection) };
    let database = selection.database().unwrap_or(0);
    for server in &servers.primaries {
        let mut connection = ActingConnection::new(Arc::clone(&server.node));
        let (mut cursor, mut members) = (0, Vec::new());
        loop {
            let mut asked = Pipeline::new();
            asked.cmd("SSCAN").arg(set).arg(cursor).arg("COUNT").arg(AT_ONCE);
            // It looks up its set; nothing at the beginning is a missing one.
            let lookups = |replies: &[Value]| match replies.first() {
                Some(Value::Array(parts)) => match parts.as_slice() {
                    [_, Value::Array(some)] if some.is_empty() && cursor == 0 => (0, 1),
                    _ => (1, 0),
                },
                _ => (0, 0),
            };
            let answer = connection.ask(database, &asked, lookups).await?;
            match answer.replies.first() {
                Some(Value::ServerError(error)) if matches!(error.code(), "MOVED" | "ASK") => break,
                Some(Value::ServerError(error)) if error.code() == "WRONGTYPE" => {
                    return Err(Failure::bad(
                        format!("{} is no set", cachescope_model::key::printable(set)),
                        "name the key of the tag's set",
                    ));
                }
                Some(Value::ServerError(error)) => {
                    return Err(Failure::server(
                        format!("{} does not tell the tag's keys: {}", server.name, said(error)),
                        "let the user run SSCAN",
                    ));
                }
                _ => {}
            }
            let (next, some) = read(answer.replies.into_iter().next(), &connection)?;
            members.extend(some);
            if members.len() > MOST_MEMBERS {
                return Err(Failure::refused("the tag names more than a million keys", "use a pattern"));
            }
            if next == 0 {
                return Ok(selection.of_members(members));
            }
            cursor = next;
        }
    }
    Err(Failure::server("no server answers for the tag's slot", "see that the Cluster covers all slots"))
}
