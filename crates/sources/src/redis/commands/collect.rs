//! What a burst tells, packed for the engine; bounded.

use std::sync::Arc;

use cachescope_model::sample::{CommandBurst, KeyUse, SampledKeys};

use super::line::Line;
use super::lookups::{Lookups, Told};

/// Bytes of keys and their bookkeeping that one burst may hold. About half a million lookups.
const BOUND_BYTES: usize = 16 * 1024 * 1024;
/// Bookkeeping of one key.
const KEY_BYTES: usize = 12;

/// A burst in the making.
#[derive(Debug, Default)]
pub struct Collector {
    burst: CommandBurst,
    /// Place of a command's name in the burst, by the command's number; 0 where it has none yet.
    places: Vec<u16>,
    scratch: Vec<u8>,
    full: bool,
}

impl Collector {
    /// Takes one command of somebody else.
    pub fn line(&mut self, line: &Line<'_>, lookups: &mut Lookups) {
        self.burst.commands += 1;
        let mut arguments = line.arguments;
        let Some(number) = arguments.next().and_then(|name| lookups.find(name)) else {
            self.burst.unread += 1;
            return;
        };
        let Some(known) = lookups.get(number) else { return };
        let Self { burst, places, scratch, full } = self;
        let CommandBurst { keys, names, .. } = burst;
        let mut unread = false;
        let told = known.keys(arguments, |used, key| match key.bytes(scratch) {
            Some(key) if room(keys, key) => {
                let command = place(places, names, number, &known.name);
                keys.push(used, line.database, command, key);
            }
            Some(_) => *full = true,
            None => unread = true,
        });
        self.burst.unread += u64::from(unread || told == Told::NotAll);
    }

    /// Takes a line that can't be read.
    pub fn malformed(&mut self) {
        self.burst.commands += 1;
        self.burst.unread += 1;
    }

    /// Takes a `keymiss` event; without its key where that is too long.
    pub fn miss(&mut self, database: u16, key: Option<&[u8]>) {
        match key {
            Some(key) if room(&self.burst.keys, key) => self.burst.keys.push(KeyUse::Miss, database, 0, key),
            Some(_) => self.full = true,
            None => self.burst.unread += 1,
        }
    }

    /// Whether something didn't fit: the burst is not whole then.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The burst, as long as this.
    #[must_use]
    pub fn finish(mut self, length_micros: u64, misses_told: bool) -> CommandBurst {
        self.burst.length_micros = length_micros;
        self.burst.misses_told = misses_told;
        self.burst
    }
}

fn room(keys: &SampledKeys, key: &[u8]) -> bool {
    keys.key_bytes() + key.len() + (keys.len() + 1) * KEY_BYTES <= BOUND_BYTES
}

fn place(places: &mut Vec<u16>, names: &mut Vec<Arc<str>>, number: u16, name: &Arc<str>) -> u16 {
    let index = usize::from(number);
    if places.len() <= index {
        places.resize(index + 1, 0);
    }
    if places[index] == 0 {
        names.push(Arc::clone(name));
        places[index] = u16::try_from(names.len()).unwrap_or(u16::MAX);
    }
    places[index] - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(lines: &[&str], version: &str) -> (CommandBurst, Vec<(KeyUse, String, String)>) {
        let mut lookups = Lookups::new(version);
        lookups.learn("json.mget", &["readonly".to_owned()], 1, -2, 1);
        lookups.learn("ft.search", &["readonly".to_owned(), "movablekeys".to_owned()], 0, 0, 0);
        let mut collector = Collector::default();
        for words in lines {
            let quoted: Vec<_> = words.split(' ').map(|word| format!("\"{word}\"")).collect();
            let text = format!("1.000000 [2 127.0.0.1:1] {}", quoted.join(" "));
            let line = Line::parse(text.as_bytes(), false).expect("a line");
            collector.line(&line, &mut lookups);
        }
        let burst = collector.finish(1000, true);
        let keys = burst
            .keys
            .iter()
            .map(|key| {
                let name = burst.names[usize::from(key.command)].to_string();
                (key.used, name, String::from_utf8_lossy(key.key).into_owned())
            })
            .collect();
        (burst, keys)
    }

    #[test]
    fn keys_are_found_where_each_command_has_them() {
        for (words, used, keys) in [
            ("GET a", KeyUse::Lookup, &["a"][..]),
            ("mGet a b a", KeyUse::Lookup, &["a", "b", "a"]),
            ("EXISTS a b", KeyUse::Lookup, &["a", "b"]),
            ("SET a GET", KeyUse::Other, &["a"]),
            ("SET a v EX 9 get", KeyUse::Lookup, &["a"]),
            ("DEL a b", KeyUse::Other, &["a"]),
            ("MSET a 1 b 2", KeyUse::Other, &["a"]),
            ("BITFIELD a GET u8 0", KeyUse::Lookup, &["a"]),
            ("BITFIELD a GET u8 0 SET u8 0 1", KeyUse::Other, &["a"]),
            ("BITOP AND dst a b", KeyUse::Lookup, &["a", "b"]),
            ("LCS a b LEN", KeyUse::Lookup, &["a", "b"]),
            ("ZUNION 2 a b WEIGHTS 1 2", KeyUse::Lookup, &["a", "b"]),
            ("ZUNIONSTORE dst 2 a b", KeyUse::Lookup, &["a", "b"]),
            ("LMPOP 2 a b LEFT", KeyUse::Other, &["a"]),
            ("ZUNION many a", KeyUse::Lookup, &[]),
            ("XREAD COUNT 2 STREAMS a b 0 0", KeyUse::Lookup, &["a", "a", "b", "b"]),
            ("XREADGROUP GROUP STREAMS c STREAMS a >", KeyUse::Lookup, &["a", "a"]),
            ("OBJECT FREQ a", KeyUse::Lookup, &["a"]),
            ("OBJECT HELP", KeyUse::Lookup, &[]),
            ("MIGRATE h 1 a 0 10", KeyUse::Lookup, &["a"]),
            ("EVAL script 1 a", KeyUse::Lookup, &[]),
            ("PING", KeyUse::Lookup, &[]),
            ("JSON.MGET a b $", KeyUse::Lookup, &["a", "b"]),
        ] {
            let (burst, found) = collected(&[words], "7.0.15");
            let name = words.split(' ').next().expect("a name").to_lowercase();
            let expected: Vec<_> = keys.iter().map(|key| (used, name.clone(), (*key).to_owned())).collect();
            assert_eq!(found, expected, "{words}");
            assert_eq!((burst.commands, burst.unread), (1, 0), "{words}");
        }
    }

    #[test]
    fn commands_whose_keys_cannot_be_told_are_counted() {
        let lines =
            ["NEW.COMMAND a", "FT.SEARCH index a", "SORT a BY w_* GET o_*", "SCAN 0 TYPE string", "GET a"];
        let (burst, keys) = collected(&lines, "7.0.15");
        assert_eq!((burst.commands, burst.unread, keys.len()), (5, 4, 2));
    }

    #[test]
    fn what_a_store_reads_counts_since_redis_7() {
        for (version, used) in [("6.2.14", KeyUse::Other), ("7.0.0", KeyUse::Lookup), ("", KeyUse::Lookup)] {
            let (_, keys) = collected(&["SINTERSTORE dst a b"], version);
            assert_eq!(keys[0], (used, "sinterstore".to_owned(), "a".to_owned()), "{version}");
        }
    }

    #[test]
    fn a_burst_is_bounded_and_says_when_it_is_full() {
        let mut collector = Collector::default();
        let key = vec![b'k'; BOUND_BYTES / 3];
        for (_, full) in [(0, false), (1, false), (2, true)] {
            collector.miss(0, Some(&key));
            assert_eq!(collector.is_full(), full);
        }
        assert_eq!(collector.finish(1, true).keys.len(), 2);
    }
}
