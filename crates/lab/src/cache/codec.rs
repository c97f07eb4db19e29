//! How values lie in Redis: as they are, or deflated when they are large.
//!
//! A first byte 1 marks a deflated value, a first byte 0 a plain one that would look marked. Everything else
//! is stored without a mark, so that JSON stays readable with any client.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

const PLAIN: u8 = 0;
const DEFLATED: u8 = 1;

/// The largest value Redis holds; nothing that was stored inflates to more.
const MOST: u64 = 512 << 20;

/// The stored form of a value.
pub(super) fn encode(value: &Bytes, compress_from: usize) -> Bytes {
    if value.len() >= compress_from.max(1) {
        let mut encoder = DeflateEncoder::new(vec![DEFLATED], Compression::fast());
        // Writing to memory cannot fail; if it did, the plain form below is as good.
        if encoder.write_all(value).is_ok()
            && let Ok(deflated) = encoder.finish()
            && deflated.len() < value.len()
        {
            return deflated.into();
        }
    }
    match value.first() {
        Some(&PLAIN | &DEFLATED) => [&[PLAIN], value.as_ref()].concat().into(),
        _ => value.clone(),
    }
}

/// The value of a stored form.
pub(super) fn decode(stored: Bytes) -> Result<Bytes, std::io::Error> {
    match stored.first() {
        Some(&PLAIN) => Ok(stored.slice(1..)),
        Some(&DEFLATED) => {
            let mut value = Vec::new();
            DeflateDecoder::new(&stored[1..]).take(MOST).read_to_end(&mut value)?;
            Ok(value.into())
        }
        _ => Ok(stored),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_comes_back_as_it_was() {
        for value in [
            Bytes::new(),
            Bytes::from_static(b"{\"a\":1}"),
            Bytes::from_static(&[0]),
            Bytes::from_static(&[1, 2, 3]),
            Bytes::from(vec![b'x'; 100_000]),
            Bytes::from((0..=255_u8).cycle().take(5_000).collect::<Vec<_>>()),
        ] {
            for compress_from in [0, 1_000, usize::MAX] {
                let stored = encode(&value, compress_from);
                assert_eq!(decode(stored).expect("it was stored here"), value);
            }
        }
    }

    #[test]
    fn large_values_shrink_and_small_ones_stay_readable() {
        let large = Bytes::from("word ".repeat(10_000));
        assert!(encode(&large, 1_000).len() < large.len() / 10);
        let small = Bytes::from_static(b"{\"a\":1}");
        assert_eq!(encode(&small, 1_000), small);
    }

    #[test]
    fn a_damaged_value_is_an_error() {
        assert!(decode(Bytes::from_static(&[DEFLATED, 0xff, 0xff])).is_err());
    }
}
