//! One counter over time, as small as its values allow.

use super::frame::{Fold, Frame, LENGTHS, Range, STEPS};

/// The slots of one tier, in the narrowest width that held every value so far.
#[derive(Clone, Debug, Default)]
enum Cells {
    #[default]
    Empty,
    Byte(Box<[u8]>),
    Half(Box<[u16]>),
    Word(Box<[u32]>),
    Long(Box<[u64]>),
}

impl Cells {
    fn get(&self, place: usize) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Byte(cells) => u64::from(cells[place]),
            Self::Half(cells) => u64::from(cells[place]),
            Self::Word(cells) => u64::from(cells[place]),
            Self::Long(cells) => cells[place],
        }
    }

    fn set(&mut self, place: usize, value: u64, length: usize) {
        loop {
            match self {
                Self::Empty if value == 0 => return,
                Self::Byte(cells) => match u8::try_from(value) {
                    Ok(value) => return cells[place] = value,
                    Err(_) => *self = Self::Half(cells.iter().map(|cell| u16::from(*cell)).collect()),
                },
                Self::Half(cells) => match u16::try_from(value) {
                    Ok(value) => return cells[place] = value,
                    Err(_) => *self = Self::Word(cells.iter().map(|cell| u32::from(*cell)).collect()),
                },
                Self::Word(cells) => match u32::try_from(value) {
                    Ok(value) => return cells[place] = value,
                    Err(_) => *self = Self::Long(cells.iter().map(|cell| u64::from(*cell)).collect()),
                },
                Self::Long(cells) => return cells[place] = value,
                Self::Empty => *self = Self::Byte(vec![0; length].into_boxed_slice()),
            }
        }
    }

    fn sum(&self, first: usize, count: usize) -> u64 {
        // At most two runs: a ring's run may wrap once.
        fn ring<T: Copy + Into<u64>>(cells: &[T], first: usize, count: usize) -> u64 {
            let end = (first + count).min(cells.len());
            let wrapped = (first + count).saturating_sub(cells.len()).min(first);
            let add = |sum: u64, cell: &T| sum.saturating_add((*cell).into());
            cells[first..end].iter().chain(&cells[..wrapped]).fold(0, add)
        }
        match self {
            Self::Empty => 0,
            Self::Byte(cells) => ring(cells, first, count),
            Self::Half(cells) => ring(cells, first, count),
            Self::Word(cells) => ring(cells, first, count),
            Self::Long(cells) => ring(cells, first, count),
        }
    }

    #[cfg(test)]
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Byte(cells) => cells.len(),
            Self::Half(cells) => cells.len() * 2,
            Self::Word(cells) => cells.len() * 4,
            Self::Long(cells) => cells.len() * 8,
        }
    }
}

fn place(tier: usize, slot: i64) -> usize {
    slot.rem_euclid(LENGTHS[tier] as i64) as usize
}

/// A counter's increases by slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    tiers: [Cells; 4],
}

impl Column {
    /// Adds to the slot of one second; what is no longer kept is dropped.
    pub(crate) fn add(&mut self, frame: &Frame, second: i64, amount: u64) {
        if let Some((tier, slot)) = frame.locate(second) {
            let place = place(tier, slot);
            let value = self.tiers[tier].get(place).saturating_add(amount);
            self.tiers[tier].set(place, value, LENGTHS[tier]);
        }
    }

    /// Takes back up to `amount` from the slot of one second, and says how much.
    pub(crate) fn take(&mut self, frame: &Frame, second: i64, amount: u64) -> u64 {
        let Some((tier, slot)) = frame.locate(second) else { return 0 };
        let place = place(tier, slot);
        let value = self.tiers[tier].get(place);
        self.tiers[tier].set(place, value.saturating_sub(amount), LENGTHS[tier]);
        value.min(amount)
    }

    /// Spreads an increase evenly over the time in which it happened, in whole units that add up to it.
    pub(crate) fn spread(&mut self, frame: &Frame, from_ms: i64, to_ms: i64, amount: u64) {
        if amount == 0 {
            return;
        }
        let length = to_ms - from_ms;
        if length <= 0 {
            return self.add(frame, to_ms.div_euclid(1000), amount);
        }
        let mut given = 0u64;
        // The interval is open at its start: an instant on a second's boundary belongs to the second before.
        let last = (to_ms - 1).div_euclid(1000);
        for second in from_ms.div_euclid(1000)..=last {
            let until = ((second + 1) * 1000).min(to_ms) - from_ms;
            let due = (u128::from(amount) * until as u128 / length as u128) as u64;
            if due > given {
                self.add(frame, second, due - given);
                given = due;
            }
        }
    }

    /// Empties the slots of these milliseconds, in proportion where only part of a slot is meant.
    pub(crate) fn erase(&mut self, frame: &Frame, from_ms: i64, to_ms: i64) {
        let mut hit = smallvec::SmallVec::<[(usize, i64, f64); 16]>::new();
        frame.overlaps(from_ms, to_ms, |tier, slot, share| hit.push((tier, slot, share)));
        for (tier, slot, share) in hit {
            let place = place(tier, slot);
            let full = STEPS[tier] as f64 * 1000.0;
            let value = self.tiers[tier].get(place);
            let left = value.min(((1.0 - share) * full).round() as u64);
            self.tiers[tier].set(place, left, LENGTHS[tier]);
        }
    }

    /// The sum over whole slots.
    pub(crate) fn sum(&self, range: &Range) -> u64 {
        range.spans.iter().fold(0u64, |sum, span| {
            let count = (span.count as usize).min(LENGTHS[span.tier]);
            sum.saturating_add(self.tiers[span.tier].sum(place(span.tier, span.first), count))
        })
    }

    /// The sum over any interval; a slot that lies in it only in part counts in proportion.
    pub(crate) fn between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> f64 {
        let mut sum = 0.0;
        frame.overlaps(from_ms, to_ms, |tier, slot, share| {
            sum += self.tiers[tier].get(place(tier, slot)) as f64 * share;
        });
        sum
    }

    /// Carries out what [`Frame::advance`] asked for.
    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for fold in folds {
            if matches!(self.tiers[fold.tier], Cells::Empty) {
                continue;
            }
            let mut sum = 0u64;
            for slot in fold.first..fold.first + fold.count {
                let place = place(fold.tier, slot);
                sum = sum.saturating_add(self.tiers[fold.tier].get(place));
                self.tiers[fold.tier].set(place, 0, LENGTHS[fold.tier]);
            }
            if let (Some(slot), true) = (fold.into, sum > 0) {
                let tier = fold.tier + 1;
                let place = place(tier, slot);
                let value = self.tiers[tier].get(place).saturating_add(sum);
                self.tiers[tier].set(place, value, LENGTHS[tier]);
            }
        }
    }

    /// Adds another column's slots; both must have been folded by the same frame.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (tier, length) in LENGTHS.into_iter().enumerate() {
            for place in 0..length {
                let more = other.tiers[tier].get(place);
                if more > 0 {
                    let value = self.tiers[tier].get(place).saturating_add(more);
                    self.tiers[tier].set(place, value, length);
                }
            }
        }
    }

    /// Bytes held on the heap.
    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.tiers.iter().map(Cells::heap_bytes).sum()
    }
}
