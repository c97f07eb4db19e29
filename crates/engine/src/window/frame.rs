//! Which slot of which resolution holds which second: one answer for all columns.
//!
//! Four tiers of slots follow one another without overlap: the newest seconds one by one, then tens of
//! seconds, minutes and tens of minutes. As time goes on, the oldest slots of a tier are folded into one slot
//! of the next, so every count exists exactly once and windows of any length add up.

use smallvec::SmallVec;

/// Seconds in a slot, by tier.
pub(crate) const STEPS: [i64; 4] = [1, 10, 60, 600];
/// Slots in a tier's ring.
pub(crate) const LENGTHS: [usize; 4] = [128, 100, 64, 146];
/// Slots in use above which the oldest are folded; leaves room in the ring for what is being folded.
///
/// After a fold a tier still reaches far enough that the windows meant for it, ended up to 50 s ago because
/// of slow scrapes, lie within it and the finer ones: 111 s, 15 min, 1 h, 24 h.
const IN_USE: [i64; 4] = [120, 96, 60, 145];

/// Slots of one tier that become one slot of the next, or are dropped from the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fold {
    /// The tier that gives.
    pub(crate) tier: usize,
    /// First slot number (seconds ÷ step).
    pub(crate) first: i64,
    /// How many slots.
    pub(crate) count: i64,
    /// Slot number in the next tier; `None` drops them.
    pub(crate) into: Option<i64>,
}

/// A run of slots of one tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) tier: usize,
    pub(crate) first: i64,
    pub(crate) count: i64,
}

/// Whole slots that together cover at least the seconds asked for, as far as they are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) spans: SmallVec<[Span; 4]>,
    /// First second of the oldest slot.
    from: i64,
}

impl Range {
    /// Seconds from its beginning to a later moment.
    pub(crate) fn seconds_until(&self, now_ms: i64) -> f64 {
        if self.spans.is_empty() { 0.0 } else { (now_ms - self.from * 1000).max(0) as f64 / 1000.0 }
    }
}

/// The shared layout: which tier holds which seconds now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// The open second.
    head: i64,
    /// Tier `i` holds the seconds from `starts[i]` to before `starts[i - 1]`, tier 0 up to `head`.
    starts: [i64; 4],
    began: bool,
}

impl Frame {
    /// The open second; what is newer can't be recorded yet.
    #[cfg(test)]
    pub(crate) fn head(&self) -> i64 {
        self.head
    }

    /// Moves to a later second and says what every column has to fold for it.
    pub(crate) fn advance(&mut self, second: i64) -> SmallVec<[Fold; 4]> {
        let mut folds = SmallVec::new();
        if !self.began {
            self.began = true;
            self.head = second;
            // Prometheus is first asked for the last 15 minutes: they have a place too.
            for (tier, back) in [100, 1_000, 1_000, 1_000].into_iter().enumerate() {
                let align = STEPS[(tier + 1).min(3)];
                self.starts[tier] = (second - back).div_euclid(align) * align;
            }
            return folds;
        }
        if second <= self.head {
            return folds;
        }
        let before = self.head;
        self.head = second;
        self.shrink(0, before, &mut folds);
        folds
    }

    /// Folds a tier block by block until it is short enough again, and after each block what follows it:
    /// only so does no ring ever hold more than its length.
    fn shrink(&mut self, tier: usize, before: i64, folds: &mut SmallVec<[Fold; 4]>) {
        if tier == 4 {
            return;
        }
        let block = STEPS[(tier + 1).min(3)];
        let room = IN_USE[tier] * STEPS[tier];
        let end = if tier == 0 { self.head + 1 } else { self.starts[tier - 1] };
        while end - self.starts[tier] > room {
            let start = self.starts[tier];
            if start > before {
                // Nothing was ever recorded after `before`: jump over what a sleep left empty.
                self.starts[tier] += (end - start - room + block - 1) / block * block;
            } else {
                let into = (tier < 3).then(|| start / block);
                folds.push(Fold { tier, first: start / STEPS[tier], count: block / STEPS[tier], into });
                self.starts[tier] += block;
            }
            self.shrink(tier + 1, before, folds);
        }
    }

    /// Tier and slot number of a second; `None` where it is not (or no longer) kept.
    pub(crate) fn locate(&self, second: i64) -> Option<(usize, i64)> {
        if second > self.head {
            return None;
        }
        let tier = self.starts.iter().position(|start| second >= *start)?;
        Some((tier, second / STEPS[tier]))
    }

    /// The slots that cover `seconds` up to and including the second `last`.
    ///
    /// A slot that begins before the window is taken whole, so that a range is never shorter than asked.
    pub(crate) fn range(&self, last: i64, seconds: u32) -> Range {
        let mut spans = SmallVec::new();
        if !self.began {
            return Range::default();
        }
        let from = last.saturating_sub(i64::from(seconds));
        let mut oldest = last;
        let mut end = last.min(self.head) + 1;
        for (tier, step) in STEPS.into_iter().enumerate() {
            let start = from.max(self.starts[tier]);
            if start < end {
                let first = start / step;
                let past = (end + step - 1) / step;
                spans.push(Span { tier, first, count: past - first });
                oldest = first * step;
            }
            end = end.min(self.starts[tier]);
        }
        Range { spans, from: oldest }
    }

    /// Every kept slot that overlaps the given milliseconds, with the share of it that does.
    pub(crate) fn overlaps(&self, from_ms: i64, to_ms: i64, mut visit: impl FnMut(usize, i64, f64)) {
        if !self.began || to_ms <= from_ms {
            return;
        }
        let mut end = self.head + 1;
        for (tier, step) in STEPS.into_iter().enumerate() {
            let start = self.starts[tier];
            let first = start.max(from_ms.div_euclid(1000)).div_euclid(step);
            let past = end.min((to_ms + 999).div_euclid(1000));
            let mut slot = first;
            while slot * step < past {
                let (begin, finish) = (slot * step * 1000, (slot + 1) * step * 1000);
                let shared = finish.min(to_ms) - begin.max(from_ms);
                if shared > 0 && slot * step >= start {
                    visit(tier, slot, shared as f64 / (finish - begin) as f64);
                }
                slot += 1;
            }
            end = end.min(start);
        }
    }
}
