//! One counter over time.

use super::cells::Cells;
use super::frame::{Fold, Frame, LENGTHS, Range, STEPS};

fn place(tier: usize, slot: i64) -> usize {
    slot.rem_euclid(LENGTHS[tier] as i64) as usize
}

/// A counter's increases by slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    cells: Cells,
}

impl Column {
    /// Adds to the slot of one second; what is no longer kept is dropped.
    pub(crate) fn add(&mut self, frame: &Frame, second: i64, amount: u64) {
        if let Some((tier, slot)) = frame.locate(second) {
            let place = place(tier, slot);
            let value = self.cells.get(tier, place).saturating_add(amount);
            self.cells.set(tier, place, value);
        }
    }

    /// Takes back up to `amount` from the slot of one second, and says how much.
    pub(crate) fn take(&mut self, frame: &Frame, second: i64, amount: u64) -> u64 {
        let Some((tier, slot)) = frame.locate(second) else { return 0 };
        let place = place(tier, slot);
        let value = self.cells.get(tier, place);
        self.cells.set(tier, place, value.saturating_sub(amount));
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
            let value = self.cells.get(tier, place);
            let left = value.min(((1.0 - share) * full).round() as u64);
            self.cells.set(tier, place, left);
        }
    }

    /// The sum over whole slots.
    pub(crate) fn sum(&self, range: &Range) -> u64 {
        range.spans.iter().fold(0u64, |sum, span| {
            let count = (span.count as usize).min(LENGTHS[span.tier]);
            sum.saturating_add(self.cells.sum(span.tier, place(span.tier, span.first), count))
        })
    }

    /// The sum over any interval; a slot that lies in it only in part counts in proportion.
    pub(crate) fn between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> f64 {
        let mut sum = 0.0;
        frame.overlaps(from_ms, to_ms, |tier, slot, share| {
            sum += self.cells.get(tier, place(tier, slot)) as f64 * share;
        });
        sum
    }

    /// Carries out what [`Frame::advance`] asked for.
    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for fold in folds {
            let count = (fold.count as usize).min(LENGTHS[fold.tier]);
            let sum = self.cells.take(fold.tier, place(fold.tier, fold.first), count);
            if let (Some(slot), true) = (fold.into, sum > 0) {
                let tier = fold.tier + 1;
                let place = place(tier, slot);
                let value = self.cells.get(tier, place).saturating_add(sum);
                self.cells.set(tier, place, value);
            }
        }
    }

    /// Adds another column's slots; both must have been folded by the same frame.
    pub(crate) fn merge(&mut self, other: &Self) {
        for tier in 0..LENGTHS.len() {
            for (place, more) in other.cells.slots(tier) {
                let value = self.cells.get(tier, place).saturating_add(more);
                self.cells.set(tier, place, value);
            }
        }
    }

    /// Bytes held on the heap.
    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.cells.heap_bytes()
    }
}
