//! The slots of one counter in as few bytes as their values need.
//!
//! Thousands of counters of a dozen kinds count a handful each between two folds: what each of them takes is what all
//! of it takes. So all four tiers lie in one allocation, and each tier is written in the shortest of three forms: the
//! places of the slots that hold something and their values, the same with a bit a slot for the places, or the values
//! of all slots. Values are as wide as the largest, down to four bits, and to none where all of them are 1.

use smallvec::SmallVec;

use super::frame::LENGTHS;
use super::packed::{read, total, width_of, write};

/// A tier's shape, in two bytes each at the front: form and width, and how many slots hold something.
const SHAPES: usize = 2 * LENGTHS.len();

/// Slots with their values, as they are rewritten.
type Written = SmallVec<[(u8, u64); 32]>;

/// The values of all tiers.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells(Box<[u8]>);

/// How the slots of a tier are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The places of those that hold something, a byte each, then their values.
    Listed,
    /// A bit a slot, whether it holds something, then the values of those that do.
    Mapped,
    /// All values.
    Whole,
}

/// Where a tier lies, and in which shape.
#[derive(Clone, Copy, Debug)]
struct Tier {
    number: usize,
    form: Form,
    /// Bits of a value: 4, 8, 16, 32 or 64, or 0 where all are 1.
    width: usize,
    /// Slots that hold something; not kept up where all are written.
    slots: usize,
    start: usize,
}

impl Tier {
    fn empty(number: usize, start: usize) -> Self {
        Self { number, form: Form::Listed, width: 0, slots: 0, start }
    }

    /// The shortest form for so many slots of this width.
    fn shortest(number: usize, start: usize, slots: usize, width: usize) -> Self {
        let listed = Self { number, form: Form::Listed, width, slots, start };
        let mapped = Self { form: Form::Mapped, ..listed };
        let whole = Self { form: Form::Whole, width: width.max(4), ..listed };
        // Of two as short, the one of which more can be changed in place.
        [whole, mapped, listed].into_iter().min_by_key(|tier| tier.bytes()).unwrap_or(listed)
    }

    fn of_shape(number: usize, start: usize, shape: [u8; 2]) -> Self {
        let form = match shape[0] >> 6 {
            0 => Form::Listed,
            1 => Form::Mapped,
            _ => Form::Whole,
        };
        Self { number, form, width: usize::from(shape[0] & 0x3F) * 4, slots: usize::from(shape[1]), start }
    }

    fn shape(self) -> [u8; 2] {
        [(self.form as u8) << 6 | (self.width / 4) as u8, self.slots as u8]
    }

    /// Bytes before the values.
    fn places(self) -> usize {
        match self.form {
            Form::Listed => self.slots,
            Form::Mapped => LENGTHS[self.number].div_ceil(8),
            Form::Whole => 0,
        }
    }

    fn bytes(self) -> usize {
        let values = if self.form == Form::Whole { LENGTHS[self.number] } else { self.slots };
        self.places() + (values * self.width).div_ceil(8)
    }
}

/// Whether a place lies among `count` slots of a ring from `first` on.
fn lies_in(place: usize, first: usize, count: usize, length: usize) -> bool {
    let after = if place >= first { place - first } else { place + length - first };
    after < count
}

/// The places of a map's bits that are set.
fn places_of(map: &[u8]) -> impl Iterator<Item = usize> + '_ {
    map.iter().enumerate().flat_map(|(byte, bits)| {
        let mut bits = *bits;
        std::iter::from_fn(move || {
            let bit = bits.trailing_zeros() as usize;
            bits &= bits.checked_sub(1)?;
            Some(8 * byte + bit)
        })
    })
}

impl Cells {
    fn tier(&self, number: usize) -> Tier {
        let mut start = SHAPES;
        let mut tier = Tier::empty(number, start);
        if !self.0.is_empty() {
            for (each, shape) in self.0.as_chunks::<2>().0[..=number].iter().enumerate() {
                tier = Tier::of_shape(each, start, *shape);
                start += tier.bytes();
            }
        }
        tier
    }

    /// The places and the values of a tier.
    fn parts(&self, tier: Tier) -> (&[u8], &[u8]) {
        self.0.get(tier.start..tier.start + tier.bytes()).unwrap_or_default().split_at(tier.places())
    }

    /// Which value of a tier is that of a slot, if it is written.
    fn find(&self, tier: Tier, place: usize) -> Option<usize> {
        let (places, _) = self.parts(tier);
        match tier.form {
            Form::Whole => Some(place),
            Form::Listed => places.iter().position(|listed| usize::from(*listed) == place),
            Form::Mapped => {
                let (before, below) = (&places[..place / 8], (1u8 << (place % 8)) - 1);
                let bits = places[place / 8];
                let ones =
                    before.iter().map(|bits| bits.count_ones()).sum::<u32>() + (bits & below).count_ones();
                (bits & (below + 1) != 0).then_some(ones as usize)
            }
        }
    }

    /// The value of a slot.
    pub(super) fn get(&self, tier: usize, place: usize) -> u64 {
        let tier = self.tier(tier);
        let (_, values) = self.parts(tier);
        self.find(tier, place).map_or(0, |number| read(values, tier.width, number))
    }

    /// Sets a slot.
    pub(super) fn set(&mut self, tier: usize, place: usize, value: u64) {
        let tier = self.tier(tier);
        match self.find(tier, place) {
            None if value == 0 => {}
            Some(number) if width_of(value) <= tier.width && (value > 0 || tier.form == Form::Whole) => {
                write(&mut self.0[tier.start + tier.places()..], tier.width, number, value);
            }
            _ => {
                let mut written = self.written(tier);
                written.retain(|(known, _)| usize::from(*known) != place);
                if value > 0 {
                    written.push((place as u8, value));
                }
                self.rewrite(tier, &mut written);
            }
        }
    }

    /// The slots of a tier that hold something.
    fn written(&self, tier: Tier) -> Written {
        let (places, values) = self.parts(tier);
        let value = |number: usize| read(values, tier.width, number);
        match tier.form {
            Form::Listed => {
                places.iter().enumerate().map(|(number, place)| (*place, value(number))).collect()
            }
            Form::Mapped => {
                places_of(places).enumerate().map(|(number, place)| (place as u8, value(number))).collect()
            }
            Form::Whole => {
                let all = (0..LENGTHS[tier.number]).map(|place| (place as u8, value(place)));
                all.filter(|(_, value)| *value > 0).collect()
            }
        }
    }

    /// Slots of a tier that hold something.
    pub(super) fn slots(&self, tier: usize) -> impl Iterator<Item = (usize, u64)> + use<> {
        self.written(self.tier(tier)).into_iter().map(|(place, value)| (usize::from(place), value))
    }

    /// Writes a tier anew, in the shortest form.
    fn rewrite(&mut self, before: Tier, written: &mut Written) {
        let width = written.iter().map(|(_, value)| width_of(*value)).max().unwrap_or(0);
        let tier = Tier::shortest(before.number, before.start, written.len(), width);
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        if bytes.is_empty() {
            bytes = vec![0; SHAPES];
        }
        // Made as long as it will be, and not longer: reserved room would be there a hundred thousand times.
        let (end, after) = (before.start + before.bytes(), bytes.len() - before.start - before.bytes());
        let total = tier.start + tier.bytes() + after;
        if total > bytes.len() {
            bytes.reserve_exact(total - bytes.len());
            bytes.resize(total, 0);
        }
        bytes.copy_within(end..end + after, tier.start + tier.bytes());
        bytes.truncate(total);
        let (places, values) = bytes[tier.start..][..tier.bytes()].split_at_mut(tier.places());
        values.fill(0);
        match tier.form {
            Form::Listed => places.iter_mut().zip(&*written).for_each(|(into, (place, _))| *into = *place),
            Form::Mapped => {
                places.fill(0);
                written.sort_unstable();
                written.iter().for_each(|(place, _)| places[usize::from(place / 8)] |= 1 << (place % 8));
            }
            Form::Whole => {}
        }
        for (number, (place, value)) in written.iter().enumerate() {
            let number = if tier.form == Form::Whole { usize::from(*place) } else { number };
            write(values, tier.width, number, *value);
        }
        bytes[2 * tier.number..][..2].copy_from_slice(&tier.shape());
        if bytes.len() > SHAPES {
            self.0 = bytes.into_boxed_slice();
        }
    }

    /// The sum over `count` slots of the ring from `first` on.
    pub(super) fn sum(&self, tier: usize, first: usize, count: usize) -> u64 {
        if self.0.is_empty() {
            return 0;
        }
        let length = LENGTHS[tier];
        let tier = self.tier(tier);
        let (places, values) = self.parts(tier);
        let add = |sum: u64, number: usize| sum.saturating_add(read(values, tier.width, number));
        let within = |place: usize| lies_in(place, first, count, length);
        match tier.form {
            Form::Listed => {
                let numbered = places.iter().enumerate();
                numbered
                    .filter(|(_, place)| within(usize::from(**place)))
                    .fold(0, |sum, (it, _)| add(sum, it))
            }
            Form::Mapped => {
                let numbered = places_of(places).enumerate();
                numbered.filter(|(_, place)| within(*place)).fold(0, |sum, (it, _)| add(sum, it))
            }
            Form::Whole => {
                // At most two runs: a ring's run may wrap once.
                let end = (first + count).min(length);
                let wrapped = (first + count).saturating_sub(length).min(first);
                total(values, tier.width, first..end).saturating_add(total(values, tier.width, 0..wrapped))
            }
        }
    }

    /// Takes everything out of `count` slots of the ring from `first` on, and says how much it was.
    pub(super) fn take(&mut self, tier: usize, first: usize, count: usize) -> u64 {
        let sum = self.sum(tier, first, count);
        if sum == 0 {
            return 0;
        }
        let length = LENGTHS[tier];
        let tier = self.tier(tier);
        if tier.form != Form::Whole {
            let mut written = self.written(tier);
            written.retain(|(place, _)| !lies_in(usize::from(*place), first, count, length));
            self.rewrite(tier, &mut written);
            return sum;
        }
        let values = &mut self.0[tier.start..][..tier.bytes()];
        for place in (first..first + count).map(|place| place % length) {
            write(values, tier.width, place, 0);
        }
        let mut written = self.written(tier);
        let width = written.iter().map(|(_, value)| width_of(*value)).max().unwrap_or(0);
        // Not at once, or a counter on the edge would be written anew all the time.
        if Tier::shortest(tier.number, tier.start, written.len(), width).bytes() * 4 < tier.bytes() * 3 {
            self.rewrite(tier, &mut written);
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
            cells.set(0, 9 * place, 1);
        }
        assert_eq!(cells.heap_bytes(), SHAPES + 12, "places alone say that each is 1");
        for place in 0..12 {
            cells.set(0, 9 * place, 3);
        }
        assert_eq!(cells.heap_bytes(), SHAPES + 12 + 6, "half a byte each");
        for place in 0..50 {
            cells.set(1, 2 * place, 1);
        }
        assert_eq!(cells.heap_bytes(), SHAPES + 12 + 6 + LENGTHS[1].div_ceil(8), "a bit each");
        assert_eq!(cells.take(1, 0, LENGTHS[1]), 50);
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
