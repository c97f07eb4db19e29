//! A level over time (memory, clients): the last value of each slot.

use super::frame::{Fold, Frame, LENGTHS};

/// Levels by slot; NaN where none was seen.
#[derive(Clone, Debug)]
pub(crate) struct Gauge {
    tiers: [Box<[f64]>; 4],
}

impl Default for Gauge {
    fn default() -> Self {
        Self { tiers: LENGTHS.map(|length| vec![f64::NAN; length].into_boxed_slice()) }
    }
}

impl Gauge {
    /// Notes the level at a second; a later call for the same second replaces it.
    pub(crate) fn set(&mut self, frame: &Frame, second: i64, level: f64) {
        if let Some((tier, slot)) = frame.locate(second) {
            self.tiers[tier][slot.rem_euclid(LENGTHS[tier] as i64) as usize] = level;
        }
    }

    /// The last level seen within these milliseconds.
    pub(crate) fn last(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> Option<f64> {
        let mut newest: Option<(i64, f64)> = None;
        frame.overlaps(from_ms, to_ms, |tier, slot, _| {
            let level = self.tiers[tier][slot.rem_euclid(LENGTHS[tier] as i64) as usize];
            let second = slot * super::frame::STEPS[tier];
            if !level.is_nan() && newest.is_none_or(|(at, _)| second > at) {
                newest = Some((second, level));
            }
        });
        newest.map(|(_, level)| level)
    }

    /// Carries out what [`Frame::advance`] asked for: the last level of the folded slots stays.
    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for fold in folds {
            let mut last = f64::NAN;
            for slot in fold.first..fold.first + fold.count {
                let cell = &mut self.tiers[fold.tier][slot.rem_euclid(LENGTHS[fold.tier] as i64) as usize];
                if !cell.is_nan() {
                    last = *cell;
                }
                *cell = f64::NAN;
            }
            if let (Some(slot), false) = (fold.into, last.is_nan()) {
                let tier = fold.tier + 1;
                self.tiers[tier][slot.rem_euclid(LENGTHS[tier] as i64) as usize] = last;
            }
        }
    }
}
