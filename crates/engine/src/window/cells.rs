//! The slots of one counter in as few bytes as their values need.
//!
//! Thousands of counters of a dozen kinds count a handful each between two folds: what each of them takes is what all
//! of it takes. So all four tiers lie in one allocation, and each tier is written either as the slots that hold
//! something, with their places, or as all of its slots, whichever is shorter, with values as wide as the largest.

use smallvec::SmallVec;

use super::frame::LENGTHS;

/// A tier's shape, in two bytes each at the front: how wide its values are, and how many slots are written.
const SHAPES: usize = 2 * LENGTHS.len();

/// Instead of a number of slots: all of them are written, without their places.
const ALL: u8 = u8::MAX;

/// Slots with their values, as they are rewritten.
type Written = SmallVec<[(u8, u64); 32]>;

/// The values of all tiers.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells(Box<[u8]>);

/// Where a tier lies, and in which shape.
#[derive(Clone, Copy, Debug)]
struct Tier {
    number: usize,
    /// Bytes of a value: 1, 2, 4 or 8.
    width: usize,
    /// Slots that are written, or [`ALL`].
    slots: u8,
    start: usize,
}

impl Tier {
    fn is_whole(self) -> bool {
        self.slots == ALL
    }

    /// Bytes of a slot, with its place where that is written.
    fn step(self) -> usize {
        if self.is_whole() { self.width } else { 1 + self.width }
    }

    fn bytes(self) -> usize {
        let slots = if self.is_whole() { LENGTHS[self.number] } else { usize::from(self.slots) };
        slots * self.step()
    }
}

fn width_of(value: u64) -> usize {
    match value {
        0..=0xFF => 1,
        0x100..=0xFFFF => 2,
        0x1_0000..=0xFFFF_FFFF => 4,
        _ => 8,
    }
}

/// The smallest number of bytes for so many slots of this width, and whether that is by writing all of them.
fn smallest(tier: usize, width: usize, slots: usize) -> (usize, bool) {
    let (some, all) = (slots * (1 + width), LENGTHS[tier] * width);
    if some < all { (some, false) } else { (all, true) }
}

fn read(bytes: &[u8]) -> u64 {
    let mut whole = [0; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(whole)
}

fn write(bytes: &mut [u8], value: u64) {
    let width = bytes.len();
    bytes.copy_from_slice(&value.to_le_bytes()[..width]);
}

/// The sum of values of one width.
fn total(bytes: &[u8], width: usize) -> u64 {
    match width {
        1 => bytes.iter().map(|value| u64::from(*value)).sum(),
        2 => bytes.as_chunks().0.iter().map(|value| u64::from(u16::from_le_bytes(*value))).sum(),
        4 => bytes.as_chunks().0.iter().map(|value| u64::from(u32::from_le_bytes(*value))).sum(),
        _ => bytes
            .as_chunks()
            .0
            .iter()
            .fold(0, |sum: u64, value| sum.saturating_add(u64::from_le_bytes(*value))),
    }
}

/// Whether a place lies among `count` slots of a ring from `first` on.
fn lies_in(place: usize, first: usize, count: usize, length: usize) -> bool {
    (place + length - first) % length < count
}

impl Cells {
    fn tier(&self, number: usize) -> Tier {
        let mut tier = Tier { number: 0, width: 1, slots: 0, start: SHAPES };
        if self.0.is_empty() {
            return Tier { number, ..tier };
        }
        for each in 0..=number {
            tier.start += if each > 0 { tier.bytes() } else { 0 };
            tier.number = each;
            tier.width = usize::from(self.0[2 * each]).max(1);
            tier.slots = self.0[2 * each + 1];
        }
        tier
    }

    /// Whether a tier holds nothing.
    pub(super) fn is_empty(&self, tier: usize) -> bool {
        self.0.is_empty() || self.0[2 * tier + 1] == 0
    }

    /// Where the value of a slot is written, if it is.
    fn find(&self, tier: Tier, place: usize) -> Option<usize> {
        if tier.is_whole() {
            return Some(tier.start + place * tier.width);
        }
        let written = &self.0[tier.start.min(self.0.len())..][..tier.bytes()];
        let found = written.chunks_exact(tier.step()).position(|slot| usize::from(slot[0]) == place)?;
        Some(tier.start + found * tier.step() + 1)
    }

    /// The value of a slot.
    pub(super) fn get(&self, tier: usize, place: usize) -> u64 {
        let tier = self.tier(tier);
        self.find(tier, place).map_or(0, |at| read(&self.0[at..][..tier.width]))
    }

    /// Sets a slot.
    pub(super) fn set(&mut self, tier: usize, place: usize, value: u64) {
        let shape = self.tier(tier);
        let found = self.find(shape, place);
        match found {
            None if value == 0 => {}
            Some(at) if width_of(value) <= shape.width && (value > 0 || shape.is_whole()) => {
                write(&mut self.0[at..][..shape.width], value);
            }
            _ => {
                let mut written = self.written(shape);
                written.retain(|(known, _)| usize::from(*known) != place);
                if value > 0 {
                    written.push((place as u8, value));
                }
                self.rewrite(shape, &written);
            }
        }
    }

    /// The slots of a tier that hold something.
    fn written(&self, tier: Tier) -> Written {
        let bytes = &self.0[tier.start.min(self.0.len())..][..tier.bytes()];
        let slots = bytes.chunks_exact(tier.step()).enumerate();
        let whole = tier.is_whole();
        let read = slots
            .map(|(place, slot)| if whole { (place as u8, read(slot)) } else { (slot[0], read(&slot[1..])) });
        read.filter(|(_, value)| *value > 0).collect()
    }

    /// Slots of a tier that hold something.
    pub(super) fn slots(&self, tier: usize) -> impl Iterator<Item = (usize, u64)> + use<> {
        self.written(self.tier(tier)).into_iter().map(|(place, value)| (usize::from(place), value))
    }

    /// Writes a tier anew, in the shortest way.
    fn rewrite(&mut self, tier: Tier, written: &Written) {
        let width = written.iter().map(|(_, value)| width_of(*value)).max().unwrap_or(1);
        let (length, whole) = smallest(tier.number, width, written.len());
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        if bytes.is_empty() {
            bytes = vec![0; SHAPES];
        }
        // Made as long as it will be, and not longer: reserved room would be there a hundred thousand times.
        let (end, after) = (tier.start + tier.bytes(), bytes.len() - tier.start - tier.bytes());
        let total = tier.start + length + after;
        if total > bytes.len() {
            bytes.reserve_exact(total - bytes.len());
            bytes.resize(total, 0);
        }
        bytes.copy_within(end..end + after, tier.start + length);
        bytes.truncate(total);
        let place = &mut bytes[tier.start..][..length];
        if whole {
            place.fill(0);
            for (slot, value) in written {
                write(&mut place[usize::from(*slot) * width..][..width], *value);
            }
        } else {
            for (into, (slot, value)) in place.chunks_exact_mut(1 + width).zip(written) {
                into[0] = *slot;
                write(&mut into[1..], *value);
            }
        }
        bytes[2 * tier.number] = width as u8;
        bytes[2 * tier.number + 1] = if whole { ALL } else { written.len() as u8 };
        if bytes.len() > SHAPES {
            self.0 = bytes.into_boxed_slice();
        }
    }

    /// The sum over `count` slots of the ring from `first` on.
    pub(super) fn sum(&self, tier: usize, first: usize, count: usize) -> u64 {
        if self.is_empty(tier) {
            return 0;
        }
        let length = LENGTHS[tier];
        let tier = self.tier(tier);
        let bytes = &self.0[tier.start..][..tier.bytes()];
        if !tier.is_whole() {
            let slots = bytes.chunks_exact(tier.step());
            let within = slots.filter(|slot| lies_in(usize::from(slot[0]), first, count, length));
            return within.fold(0, |sum, slot| sum.saturating_add(read(&slot[1..])));
        }
        // At most two runs: a ring's run may wrap once.
        let end = (first + count).min(length);
        let wrapped = (first + count).saturating_sub(length).min(first);
        let run = |from: usize, to: usize| total(&bytes[from * tier.width..to * tier.width], tier.width);
        run(first, end).saturating_add(run(0, wrapped))
    }

    /// Takes everything out of `count` slots of the ring from `first` on, and says how much it was.
    pub(super) fn take(&mut self, tier: usize, first: usize, count: usize) -> u64 {
        if self.is_empty(tier) {
            return 0;
        }
        let sum = self.sum(tier, first, count);
        let length = LENGTHS[tier];
        let tier = self.tier(tier);
        if !tier.is_whole() {
            if sum > 0 {
                let mut written = self.written(tier);
                written.retain(|(place, _)| !lies_in(usize::from(*place), first, count, length));
                self.rewrite(tier, &written);
            }
            return sum;
        }
        for place in (first..first + count).map(|place| place % length) {
            self.0[tier.start + place * tier.width..][..tier.width].fill(0);
        }
        let left = self.0[tier.start..][..tier.bytes()].chunks_exact(tier.width).map(read);
        let (slots, most) =
            left.filter(|value| *value > 0).fold((0, 0), |(slots, most), value| (slots + 1, value.max(most)));
        // Not at once, or a counter on the edge would be written anew all the time.
        if smallest(tier.number, width_of(most), slots).0 * 4 < tier.bytes() * 3 {
            let written = self.written(tier);
            self.rewrite(tier, &written);
        }
        sum
    }

    /// Bytes held on the heap.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_few_counts_take_a_few_bytes_and_many_take_no_more_than_their_slots() {
        let mut cells = Cells::default();
        assert_eq!(cells.heap_bytes(), 0);
        for place in 0..12 {
            cells.set(0, 9 * place, 3);
        }
        assert_eq!(cells.heap_bytes(), SHAPES + 12 * 2);
        for place in 0..LENGTHS[0] {
            cells.set(0, place, 200);
        }
        assert_eq!(cells.heap_bytes(), SHAPES + LENGTHS[0]);
        assert_eq!(cells.take(0, 120, LENGTHS[0]), 200 * LENGTHS[0] as u64);
        assert_eq!(cells.heap_bytes(), 0, "what is empty again takes nothing");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_whatever_its_shape(
            steps in prop::collection::vec((0usize..4, 0usize..146, 0u32..64, any::<u64>(), any::<bool>()), 0..400),
        ) {
            let mut cells = Cells::default();
            let mut plain = LENGTHS.map(|length| vec![0u64; length]);
            for (tier, place, bits, value, take) in steps {
                let length = LENGTHS[tier];
                let (place, count) = (place % length, 1 + bits as usize % length);
                let ring: Vec<usize> = (place..place + count).map(|place| place % length).collect();
                let sum = ring.iter().fold(0u64, |sum, place| sum.saturating_add(plain[tier][*place]));
                prop_assert_eq!(cells.sum(tier, place, count), sum);
                if take {
                    prop_assert_eq!(cells.take(tier, place, count), sum);
                    ring.iter().for_each(|place| plain[tier][*place] = 0);
                } else {
                    // Small values are the usual ones.
                    plain[tier][place] = value >> bits;
                    cells.set(tier, place, value >> bits);
                }
                for (tier, plain) in plain.iter().enumerate() {
                    for (place, value) in plain.iter().enumerate() {
                        prop_assert_eq!(cells.get(tier, place), *value);
                    }
                    let held: u64 = cells.slots(tier).map(|(_, value)| value >> 8).sum();
                    prop_assert_eq!(held, plain.iter().map(|value| value >> 8).sum::<u64>());
                }
            }
        }
    }
}
