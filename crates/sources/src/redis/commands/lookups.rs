//! Which arguments of a command are keys, and which of them the server counts as lookups.
//!
//! What a line of MONITOR tells, and what not (observed on Redis 6.2 to 8): a command is told once it has run,
//! so neither one that was refused (no permission, unknown, wrong number of arguments) nor one that was queued
//! and discarded; a transaction's commands are told at EXEC, a script's on lines of their own (`lua`), a blocking
//! command's when it begins to block. A command that failed on the type of its key is told and was counted by
//! the server as a hit; only one that failed on its options (`GETEX k NONSENSE`) is told but was not counted.

use std::sync::Arc;

use cachescope_model::sample::KeyUse;
use hashbrown::HashMap;

use super::line::{Argument, Arguments};
use super::table::{Counts, Keys, TABLE};

/// Longer names are no commands.
const NAME_BYTES: usize = 64;
/// So many commands are learned from one server.
const MOST_LEARNED: usize = 512;
/// So many that nobody knows wait to be asked for.
const MOST_WANTED: usize = 32;

/// What is known of one command.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Its name in lower case.
    pub(super) name: Arc<str>,
    keys: Keys,
    used: KeyUse,
}

/// Every command that can be read, by number.
#[derive(Debug)]
pub struct Lookups {
    known: Vec<Known>,
    by_name: HashMap<Box<[u8]>, u16>,
    wanted: Vec<String>,
}

/// How much of a command's keys could be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// All of them.
    All,
    /// Not all.
    NotAll,
}

impl Lookups {
    /// The standard commands as a server of this version counts them (`7.0.15`; unknown counts as new).
    #[must_use]
    pub fn new(version: &str) -> Self {
        let since7 =
            version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_none_or(|it| it >= 7);
        let mut lookups =
            Self { known: Vec::with_capacity(TABLE.len()), by_name: HashMap::new(), wanted: Vec::new() };
        for (name, keys, counts) in TABLE {
            let counted = match counts {
                Counts::Yes => true,
                Counts::Since7 => since7,
                Counts::No => false,
            };
            lookups.add(name, *keys, counted);
        }
        lookups
    }

    fn add(&mut self, name: &str, keys: Keys, counted: bool) {
        let used = if counted { KeyUse::Lookup } else { KeyUse::Other };
        let Ok(number) = u16::try_from(self.known.len()) else { return };
        self.known.push(Known { name: name.into(), keys, used });
        self.by_name.insert(name.as_bytes().into(), number);
    }

    /// The number of a command, by its name in whatever case. One that isn't known is remembered as wanted.
    pub(super) fn find(&mut self, name: Argument<'_>) -> Option<u16> {
        let name = name.escaped();
        let mut lower = [0u8; NAME_BYTES];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        if let Some(number) = self.by_name.get(&*lower) {
            return Some(*number);
        }
        if self.wanted.len() < MOST_WANTED
            && self.known.len() < TABLE.len() + MOST_LEARNED
            && let Ok(name) = std::str::from_utf8(lower)
            && !name.contains('\\')
            && !self.wanted.iter().any(|wanted| wanted == name)
        {
            self.wanted.push(name.to_owned());
        }
        None
    }

    pub(super) fn get(&self, number: u16) -> Option<&Known> {
        self.known.get(usize::from(number))
    }

    /// Names that came up and are not known, each once.
    pub fn take_wanted(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wanted)
    }

    /// Takes what `COMMAND INFO` says of a command: its flags, and the places of its keys.
    pub fn learn(&mut self, name: &str, flags: &[String], first: i64, last: i64, step: i64) {
        if self.by_name.contains_key(name.as_bytes()) {
            return;
        }
        let flag = |wanted: &str| flags.iter().any(|flag| flag == wanted);
        let keys = match (u8::try_from(first), i8::try_from(last), u8::try_from(step)) {
            _ if flag("movablekeys") => Keys::Unknown,
            (Ok(0), ..) => Keys::None,
            (Ok(first), Ok(last), Ok(step)) if step > 0 => Keys::Range(first, last, step),
            _ => Keys::Unknown,
        };
        self.add(name, keys, flag("readonly"));
    }

    /// What nobody knows, not even the server, is not asked for again.
    pub fn give_up(&mut self, name: &str) {
        if !self.by_name.contains_key(name.as_bytes()) {
            self.add(name, Keys::Unknown, false);
        }
    }
}

impl Known {
    /// Hands every key of the command to `take`: all that are looked up, and of any other command the first.
    pub(super) fn keys(
        &self,
        mut arguments: Arguments<'_>,
        mut take: impl FnMut(KeyUse, Argument<'_>),
    ) -> Told {
        let told = match self.keys {
            Keys::None => return Told::All,
            Keys::Unknown => return Told::NotAll,
            Keys::At(place) => {
                if let Some(key) = arguments.nth(usize::from(place).saturating_sub(1)) {
                    take(self.used, key);
                    return Told::All;
                }
                Told::All
            }
            Keys::Range(first, last, step) => self.range(&mut arguments, (first, last, step), take),
            Keys::Numbered(place) => {
                let number = arguments.nth(usize::from(place).saturating_sub(1)).and_then(|it| it.number());
                for key in arguments.by_ref().take(self.most(number.unwrap_or(0))) {
                    take(self.used, key);
                }
                Told::All
            }
            Keys::Streams => streams(&mut arguments, self.used, take),
            Keys::Set => {
                let key = arguments.next();
                let with_get = arguments.by_ref().skip(1).any(|word| word.is("GET"));
                if let Some(key) = key {
                    take(if with_get { KeyUse::Lookup } else { KeyUse::Other }, key);
                }
                // Where the end is missing, whether it is a lookup can't be told, and hardly any is.
                return Told::All;
            }
            Keys::BitField => {
                let key = arguments.next();
                let writes = arguments.by_ref().any(|word| word.is("SET") || word.is("INCRBY"));
                if let Some(key) = key {
                    take(if writes { KeyUse::Other } else { KeyUse::Lookup }, key);
                }
                Told::All
            }
            Keys::Sort => {
                if let Some(key) = arguments.next() {
                    take(self.used, key);
                }
                let mut patterns = false;
                while let Some(word) = arguments.next() {
                    if word.is("BY") || word.is("GET") {
                        patterns |= arguments.next().is_some_and(|pattern| pattern.escaped().contains(&b'*'));
                    }
                }
                if patterns { Told::NotAll } else { Told::All }
            }
            Keys::Scan => match arguments.by_ref().skip(1).any(|word| word.is("TYPE")) {
                true => Told::NotAll,
                false => Told::All,
            },
            Keys::Migrate => match arguments.nth(2) {
                Some(key) if !key.escaped().is_empty() => {
                    take(self.used, key);
                    Told::All
                }
                _ => {
                    arguments.by_ref().find(|word| word.is("KEYS"));
                    arguments.by_ref().for_each(|key| take(self.used, key));
                    Told::All
                }
            },
        };
        if arguments.unreadable() { Told::NotAll } else { told }
    }

    /// Of a command that looks nothing up, one key is enough.
    fn most(&self, keys: usize) -> usize {
        if self.used == KeyUse::Lookup { keys } else { keys.min(1) }
    }

    fn range(
        &self,
        arguments: &mut Arguments<'_>,
        (first, last, step): (u8, i8, u8),
        mut take: impl FnMut(KeyUse, Argument<'_>),
    ) -> Told {
        let (first, step) = (usize::from(first), usize::from(step.max(1)));
        // A place from the end is known when the end is: the arguments are cheap to count.
        let end = match usize::try_from(last) {
            Ok(last) => last + 1,
            Err(_) if last == -1 => usize::MAX,
            Err(_) => ((*arguments).count() + 1).saturating_sub(usize::from(last.unsigned_abs()) - 1),
        };
        let places = end.saturating_sub(first);
        let most = self.most(places.div_ceil(step));
        arguments.by_ref().skip(first.saturating_sub(1)).take(places).step_by(step).take(most).for_each(
            |key| {
                take(self.used, key);
            },
        );
        Told::All
    }
}

/// `… STREAMS key … id …`: as many keys as ids.
fn streams(arguments: &mut Arguments<'_>, used: KeyUse, mut take: impl FnMut(KeyUse, Argument<'_>)) -> Told {
    while let Some(word) = arguments.next() {
        if word.is("GROUP") {
            // A group and a consumer follow, whatever they are called.
            arguments.nth(1);
        } else if word.is("STREAMS") {
            let keys = (*arguments).count() / 2;
            for key in arguments.by_ref().take(keys) {
                take(used, key);
                take(used, key);
            }
            break;
        }
    }
    Told::All
}
