//! Which of the keys that are met are weighed and asked, so that every kind of key is known well enough.
//!
//! Keys fall into strata by their shape: their first two segments, with what has digits left out. SCAN meets
//! keys in the order of their hashes, so within a stratum any choice by order alone is as good as a random one.
//! The first keys of a stratum are always chosen; after that, fewer are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher;

use cachescope_model::scan::ScanMode;
use hashbrown::{DefaultHashBuilder, HashMap};
use std::hash::BuildHasher;

/// Strata that are told apart; further shapes share one. About 300 bytes each.
const MOST_STRATA: usize = 512;
/// Longer segments are values, not names.
const LONGEST_WORD: usize = 24;
/// In a sampled scan the first keys of a stratum that are all weighed: of a kind of key that is one in fifty,
/// hardly any sample of so many has none.
const FIRST_SAMPLED: u64 = 300;
/// The same in a precise scan.
const FIRST_PRECISE: u64 = 400;
/// Weighings after which it is looked again how many are enough.
const LOOK_AGAIN: u64 = 512;
/// In a precise scan, one key in this many is still weighed once the stratum is known well enough.
const THINNED: u64 = 64;
/// Up to this many keys, an exact scan asks each for its time to live.
const ASK_ALL_UP_TO: u64 = 200_000;
/// Beyond that, and in precise scans: the first of a stratum, then one in …
const FIRST_ASKED: u64 = 2_000;
const ASK_EVERY: u64 = 32;
/// Keys of a stratum that are asked for their type and encoding: the first ones, then one weighed key in …
const FIRST_DETAILED: u64 = 30;
const DETAIL_EVERY: u64 = 256;
/// The heaviest keys of a stratum are asked as well.
const HEAVIEST: usize = 20;
/// What is to be asked of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) stratum: u16,
    pub(super) weigh: bool,
    pub(super) ttl: bool,
    pub(super) details: bool,
}

#[derive(Clone, Debug, Default)]
struct Stratum {
    met: u64,
    /// Keys chosen to be weighed, and answers that came.
    weighed: u64,
    answers: u64,
    asked: u64,
    detailed: u64,
    sum: f64,
    squares: f64,
    heaviest: BinaryHeap<Reverse<u64>>,
    /// Weighed keys that are enough, in a precise scan.
    enough: u64,
}

impl Stratum {
    fn mean(&self) -> f64 {
        self.sum / self.answers.max(1) as f64
    }

    /// Bytes of the keys met, weighed or not.
    fn bytes(&self) -> f64 {
        self.mean() * self.met as f64
    }

    /// How many weighed keys make it as sure as the whole is to be: the weighing may take six tenths of the
    /// half-width, so that the counting has room for the rest (they add up as squares do).
    fn enough(&self, all_bytes: f64, half_width: f64) -> u64 {
        let mean = self.mean();
        if mean <= 0.0 {
            return FIRST_PRECISE;
        }
        let variance = (self.squares / self.answers as f64 - mean * mean).max(0.0);
        let share = self.bytes() / all_bytes.max(1.0);
        (1.96 * variance.sqrt() / mean * share / (0.6 * half_width)).powi(2).min(1e15) as u64
    }
}

/// The strata of one scan.
#[derive(Clone, Debug)]
pub(super) struct Strata {
    mode: ScanMode,
    ask_all: bool,
    /// Moves the choice among repeated scans, so that they don't weigh the same keys.
    phase: u64,
    hasher: DefaultHashBuilder,
    numbers: HashMap<u64, u16>,
    strata: Vec<Stratum>,
    weighings: u64,
}

impl Strata {
    pub(super) fn new(mode: ScanMode, keys_expected: u64, phase: u64) -> Self {
        Self {
            mode,
            ask_all: keys_expected <= ASK_ALL_UP_TO,
            phase,
            hasher: DefaultHashBuilder::default(),
            numbers: HashMap::new(),
            strata: Vec::new(),
            weighings: 0,
        }
    }

    /// Decides on a key that was met.
    pub(super) fn choose(&mut self, key: &[u8]) -> Choice {
        let number = self.number(key);
        let (mode, phase, ask_all) = (self.mode, self.phase, self.ask_all);
        let stratum = &mut self.strata[usize::from(number)];
        stratum.met += 1;
        let one_in = |count: u64, every: u64| (count + phase).is_multiple_of(every.max(1));
        let weigh = match mode {
            ScanMode::Exact => true,
            ScanMode::Sampled { weigh_every } => {
                stratum.met <= FIRST_SAMPLED || one_in(stratum.met, u64::from(weigh_every))
            }
            ScanMode::Precise { .. } => {
                stratum.weighed < stratum.enough.max(FIRST_PRECISE) || one_in(stratum.met, THINNED)
            }
        };
        if !weigh {
            return Choice { stratum: number, weigh, ttl: false, details: false };
        }
        stratum.weighed += 1;
        let ttl = match mode {
            ScanMode::Exact if ask_all => true,
            ScanMode::Sampled { .. } => true,
            _ => stratum.asked < FIRST_ASKED || one_in(stratum.weighed, ASK_EVERY),
        };
        stratum.asked += u64::from(ttl);
        let details = ttl && (stratum.detailed < FIRST_DETAILED || one_in(stratum.weighed, DETAIL_EVERY));
        stratum.detailed += u64::from(details);
        Choice { stratum: number, weigh, ttl, details }
    }

    /// Takes note of a weight; whether the key is one of the heaviest of its stratum so far.
    pub(super) fn weighed(&mut self, stratum: u16, bytes: u64) -> bool {
        self.weighings += 1;
        if let ScanMode::Precise { half_width } = self.mode
            && self.weighings.is_multiple_of(LOOK_AGAIN)
        {
            let all = self.strata.iter().map(Stratum::bytes).sum();
            for stratum in &mut self.strata {
                stratum.enough = stratum.enough(all, half_width);
            }
        }
        let Some(stratum) = self.strata.get_mut(usize::from(stratum)) else { return false };
        let weight = bytes as f64;
        stratum.answers += 1;
        stratum.sum += weight;
        stratum.squares += weight * weight;
        if stratum.heaviest.len() < HEAVIEST {
            stratum.heaviest.push(Reverse(bytes));
            return true;
        }
        let heavy = stratum.heaviest.peek().is_some_and(|Reverse(least)| bytes > *least);
        if heavy {
            stratum.heaviest.pop();
            stratum.heaviest.push(Reverse(bytes));
        }
        heavy
    }

    fn number(&mut self, key: &[u8]) -> u16 {
        let shape = self.shape(key);
        if let Some(number) = self.numbers.get(&shape) {
            return *number;
        }
        let room = self.numbers.len() < MOST_STRATA - 1;
        if room || self.strata.len() < MOST_STRATA {
            self.strata.push(Stratum::default());
        }
        let number = (self.strata.len() - 1) as u16;
        if room {
            self.numbers.insert(shape, number);
        }
        number
    }

    /// The hash of a key's first two segments, those with digits in them left out.
    fn shape(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        let segments = key.split(|byte| matches!(byte, b':' | b'/' | b'.' | b'|'));
        for segment in segments.take(2) {
            if segment.len() <= LONGEST_WORD && !segment.iter().any(u8::is_ascii_digit) {
                hasher.write(segment);
            }
            hasher.write_u8(b':');
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(strata: &mut Strata, keys: std::ops::Range<u32>, prefix: &str) -> Vec<Choice> {
        keys.map(|number| strata.choose(format!("{prefix}:{number}").as_bytes())).collect()
    }

    #[test]
    fn few_keys_are_all_weighed_beside_many_others() {
        let mut strata = Strata::new(ScanMode::Sampled { weigh_every: 20 }, 100_000, 3);
        let many = chosen(&mut strata, 0..100_000, "user");
        let few = chosen(&mut strata, 0..40, "session");
        assert!(few.iter().all(|choice| choice.weigh && choice.ttl));
        let weighed = many.iter().filter(|choice| choice.weigh).count();
        assert!((5_270..5_300).contains(&weighed), "{weighed}");
        assert_ne!(few[0].stratum, many[0].stratum);
    }

    #[test]
    fn a_precise_scan_weighs_what_differs_more_than_what_does_not() {
        let mut strata = Strata::new(ScanMode::Precise { half_width: 0.02 }, 1_000_000, 0);
        let mut weighed = [0u64; 2];
        for number in 0..200_000u64 {
            for (kind, prefix) in ["even", "odd"].into_iter().enumerate() {
                let choice = strata.choose(format!("{prefix}:{number}").as_bytes());
                if choice.weigh {
                    weighed[kind] += 1;
                    let bytes = if kind == 0 { 100 } else { 20 + number % 7 * 100 };
                    strata.weighed(choice.stratum, bytes);
                }
            }
        }
        // Equal weights need no more than the first and one in 64 after that; those that differ by 0.62 of
        // their mean and hold 0.76 of all bytes need (1.96 · 0.62 · 0.76 / 0.012)² ≈ 5,900, and one in 64 of the
        // 194,000 others.
        assert!((3_400..3_600).contains(&weighed[0]), "{weighed:?}");
        assert!((8_000..10_000).contains(&weighed[1]), "{weighed:?}");
    }

    #[test]
    fn strata_are_bounded() {
        let mut strata = Strata::new(ScanMode::Exact, 0, 0);
        for number in 0..10_000u32 {
            let letters: String = number.to_string().bytes().map(|digit| char::from(digit + 50)).collect();
            let choice = strata.choose(format!("{letters}:x").as_bytes());
            assert!(usize::from(choice.stratum) < MOST_STRATA && choice.weigh && choice.ttl);
        }
        assert_eq!(strata.strata.len(), MOST_STRATA);
    }

    #[test]
    fn the_heaviest_keys_are_pointed_out() {
        let mut strata = Strata::new(ScanMode::Exact, 0, 0);
        let stratum = strata.choose(b"a").stratum;
        let pointed = (0..1_000u64).rev().filter(|bytes| strata.weighed(stratum, *bytes)).count();
        assert_eq!(pointed, HEAVIEST, "those after the first are lighter");
        assert!(strata.weighed(stratum, 5_000));
    }
}
