//! Numbers side by side, each as wide as the largest of them needs: 4, 8, 16, 32 or 64 bits, or none where each is 1.

use std::ops::Range;

/// Bits that a number needs.
pub(super) fn width_of(value: u64) -> usize {
    match value {
        1 => 0,
        0..=0xF => 4,
        0x10..=0xFF => 8,
        0x100..=0xFFFF => 16,
        0x1_0000..=0xFFFF_FFFF => 32,
        _ => 64,
    }
}

/// One of the numbers.
pub(super) fn read(bytes: &[u8], width: usize, number: usize) -> u64 {
    match width {
        0 => 1,
        4 => u64::from(bytes[number / 2] >> (4 * (number % 2)) & 0xF),
        8 => u64::from(bytes[number]),
        _ => {
            let mut whole = [0; 8];
            whole[..width / 8].copy_from_slice(&bytes[number * width / 8..][..width / 8]);
            u64::from_le_bytes(whole)
        }
    }
}

/// Puts one of the numbers in its place; it must fit into the width.
pub(super) fn write(bytes: &mut [u8], width: usize, number: usize, value: u64) {
    match width {
        0 => {}
        4 => {
            let shift = 4 * (number % 2);
            let byte = &mut bytes[number / 2];
            *byte = *byte & !(0xF << shift) | (value as u8) << shift;
        }
        _ => bytes[number * width / 8..][..width / 8].copy_from_slice(&value.to_le_bytes()[..width / 8]),
    }
}

/// The sum of some of the numbers, one after the other.
pub(super) fn total(bytes: &[u8], width: usize, some: Range<usize>) -> u64 {
    match width {
        0 => some.len() as u64,
        4 => {
            // Two a byte, but perhaps for the first and the last.
            let pairs = some.start.div_ceil(2)..some.end / 2;
            if some.is_empty() {
                return 0;
            }
            let both = |byte: &u8| u64::from(byte >> 4) + u64::from(byte & 0xF);
            let first = if some.start % 2 == 1 { read(bytes, width, some.start) } else { 0 };
            let last = if some.end % 2 == 1 { read(bytes, width, some.end - 1) } else { 0 };
            first + bytes[pairs].iter().map(both).sum::<u64>() + last
        }
        8 => bytes[some].iter().map(|value| u64::from(*value)).sum(),
        16 => {
            let values = bytes[2 * some.start..2 * some.end].as_chunks().0;
            values.iter().map(|value| u64::from(u16::from_le_bytes(*value))).sum()
        }
        32 => {
            let values = bytes[4 * some.start..4 * some.end].as_chunks().0;
            values.iter().map(|value| u64::from(u32::from_le_bytes(*value))).sum()
        }
        _ => some.fold(0, |sum: u64, number| sum.saturating_add(read(bytes, width, number))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_and_any_run_of_it_adds_up(
            values in prop::collection::vec(any::<u64>(), 1..40), bits in 0u32..64, from in 0usize..40, count in 0usize..40,
        ) {
            let values: Vec<u64> = values.into_iter().map(|value| value >> bits).collect();
            let width = values.iter().map(|value| width_of(*value)).max().unwrap_or(0);
            let mut bytes = vec![0xAA; (values.len() * width).div_ceil(8)];
            for (number, value) in values.iter().enumerate() {
                write(&mut bytes, width, number, *value);
            }
            for (number, value) in values.iter().enumerate() {
                prop_assert_eq!(read(&bytes, width, number), *value);
            }
            let from = from.min(values.len());
            let some = from..(from + count).min(values.len());
            let sum = values[some.clone()].iter().fold(0u64, |sum, value| sum.saturating_add(*value));
            prop_assert_eq!(total(&bytes, width, some), sum);
        }
    }
}
