//! Where a scan that may stop half-way begins in a keyspace that is kept slot by slot.
//!
//! In cluster mode servers keep a table for each slot since Redis 7.4 and Valkey 8.0. SCAN goes through one after the
//! other, and the slot stands in the lowest 14 bits of its cursor (`addDictIndexToCursor` in Redis's kvstore.c), so it
//! can be told where to begin. A walk that met the first slots only would know what lies in these. So it goes by
//! segments that begin at random slots, a step in each in turn; together they are the whole, whenever it ends.
//!
//! Slots are chosen by a hash of the key: what lies in random ones is a random sample of the keys, unless hash tags put
//! keys together.

const SLOTS: u16 = 16_384;
const SLOT_MASK: u64 = 16_383;
/// Random slots to begin at. Of each segment at least one step is taken.
const BEGINNINGS: usize = 48;

/// Slots that are walked through one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    from: u16,
    /// The first slot that is not in it.
    until: u16,
}

impl Segment {
    /// The cursor it begins with.
    pub(super) fn cursor(self) -> u64 {
        u64::from(self.from)
    }

    /// Whether a key lies in it.
    pub(super) fn holds(self, key: &[u8]) -> bool {
        (self.from..self.until).contains(&slot(key))
    }

    /// Whether a key lies before it, where a walk from its beginning can't meet one.
    pub(super) fn is_behind(self, key: &[u8]) -> bool {
        slot(key) < self.from
    }

    /// Whether a walk that has come to this cursor has left it.
    pub(super) fn is_left_at(self, cursor: u64) -> bool {
        cursor == 0 || cursor & SLOT_MASK >= u64::from(self.until)
    }
}

/// All slots in segments that begin at random. `dice` gives random slots.
pub(super) fn segments(mut dice: impl FnMut(std::ops::Range<u16>) -> u16) -> Vec<Segment> {
    let mut beginnings: Vec<u16> = (0..BEGINNINGS).map(|_| dice(0..SLOTS)).collect();
    beginnings.push(0);
    beginnings.sort_unstable();
    beginnings.dedup();
    let ends = beginnings.iter().copied().skip(1).chain([SLOTS]);
    beginnings.iter().zip(ends).map(|(from, until)| Segment { from: *from, until }).collect()
}

/// The part of a key that decides on its slot where that is not all of it: between the first `{` and the next `}`,
/// unless nothing is (Redis Cluster specification).
pub(super) fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let from = key.iter().position(|byte| *byte == b'{')? + 1;
    let length = key[from..].iter().position(|byte| *byte == b'}')?;
    (length > 0).then(|| &key[from..from + length])
}

fn slot(key: &[u8]) -> u16 {
    // CRC16 with the polynomial 0x1021 (XMODEM).
    let checksum = hash_tag(key).unwrap_or(key).iter().fold(0u16, |checksum, byte| {
        (0..8).fold(checksum ^ u16::from(*byte) << 8, |checksum, _| {
            if checksum & 0x8000 == 0 { checksum << 1 } else { checksum << 1 ^ 0x1021 }
        })
    });
    checksum % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        for (key, expected) in [
            ("123456789", 0x31C3),
            ("", 0),
            ("foo", 12_182),
            ("{user1000}.following", 3_443),
            ("{user1000}.followers", 3_443),
            ("user1000", 3_443),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("foo{bar}{zap}", 5_061),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn segments_are_every_slot_once_wherever_they_begin() {
        for numbers in [&[5u16, 16_383, 5, 0, 9_000][..], &[16_383], &[1]] {
            let mut turn = numbers.iter().copied().cycle();
            let segments = segments(|_| turn.next().unwrap_or(0));
            let all: Vec<u16> = segments.iter().flat_map(|segment| segment.from..segment.until).collect();
            assert!(all.iter().copied().eq(0..SLOTS), "{segments:?}");
        }
    }

    #[test]
    fn a_segment_is_left_with_the_first_slot_behind_it() {
        let segment = Segment { from: 100, until: 200 };
        assert_eq!(segment.cursor(), 100);
        let at = |slot: u64, bucket: u64| bucket << 14 | slot;
        assert!(!segment.is_left_at(at(199, 77)) && !segment.is_left_at(at(100, 1)));
        assert!(segment.is_left_at(at(200, 0)) && segment.is_left_at(at(16_383, 5)) && segment.is_left_at(0));
    }
}
