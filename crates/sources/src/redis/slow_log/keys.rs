//! Which of a command's arguments is its first key.
//!
//! Not asked of the server (COMMAND GETKEYS would cost a command an entry): the commands of Redis that take no
//! key first are few and stand here; a module's are taken to have their key first, as nearly all do.

use bytes::Bytes;

/// The first key of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstKey<'a> {
    Argument(&'a Bytes),
    None,
}

/// Finds it among the arguments after the command's name, which is in lower case.
pub(super) fn first_key<'a>(command: &str, arguments: &'a [Bytes]) -> FirstKey<'a> {
    let place = match command {
        "ping" | "echo" | "auth" | "hello" | "quit" | "reset" | "select" | "swapdb" | "info" | "client"
        | "config" | "command" | "cluster" | "acl" | "slowlog" | "latency" | "monitor" | "role" | "time"
        | "dbsize" | "keys" | "scan" | "randomkey" | "flushdb" | "flushall" | "save" | "bgsave"
        | "bgrewriteaof" | "lastsave" | "shutdown" | "replicaof" | "slaveof" | "sync" | "psync"
        | "replconf" | "wait" | "waitaof" | "multi" | "exec" | "discard" | "unwatch" | "script"
        | "function" | "module" | "publish" | "spublish" | "subscribe" | "psubscribe" | "ssubscribe"
        | "unsubscribe" | "punsubscribe" | "sunsubscribe" | "pubsub" | "readonly" | "readwrite"
        | "asking" | "failover" | "lolwut" | "debug" => return FirstKey::None,
        "memory" | "object" | "xinfo" | "xgroup" | "bitop" => Some(1),
        // How many keys there are stands before them; there may be none.
        "eval" | "evalsha" | "eval_ro" | "evalsha_ro" | "fcall" | "fcall_ro" => counted(arguments, 1),
        "zunion" | "zinter" | "zdiff" | "sintercard" | "zintercard" | "lmpop" | "zmpop" => {
            counted(arguments, 0)
        }
        "blmpop" | "bzmpop" => counted(arguments, 1),
        "xread" | "xreadgroup" => arguments
            .iter()
            .position(|argument| argument.eq_ignore_ascii_case(b"streams"))
            .map(|streams| streams + 1),
        "migrate" => Some(2),
        _ => Some(0),
    };
    match place.and_then(|place| arguments.get(place)) {
        Some(key) => FirstKey::Argument(key),
        None => FirstKey::None,
    }
}

/// The place behind a number that is not 0.
fn counted(arguments: &[Bytes], number: usize) -> Option<usize> {
    let text = std::str::from_utf8(arguments.get(number)?).ok()?;
    text.parse::<u64>().ok().filter(|keys| *keys > 0).map(|_| number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_is_found_where_the_command_has_it() {
        for (words, key) in [
            ("get k", Some("k")),
            ("mget k l m", Some("k")),
            ("json.get k $", Some("k")),
            ("eval script 0", None),
            ("evalsha abc 2 k l x", Some("k")),
            ("zunion 2 k l", Some("k")),
            ("blmpop 0 2 k l LEFT", Some("k")),
            ("xread COUNT 2 STREAMS k l 0 0", Some("k")),
            ("object encoding k", Some("k")),
            ("bitop AND k a b", Some("k")),
            ("scan 0", None),
            ("get", None),
            ("eval x", None),
        ] {
            let mut words = words.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes()));
            let command = words.next().expect("every line has a command");
            let arguments: Vec<_> = words.collect();
            let command = std::str::from_utf8(&command).expect("written in ASCII");
            let found = match first_key(command, &arguments) {
                FirstKey::Argument(key) => Some(key.clone()),
                FirstKey::None => None,
            };
            assert_eq!(found, key.map(Bytes::from), "{command}");
        }
    }
}
