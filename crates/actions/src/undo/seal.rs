//! Batches as they lie on disk: compressed, then encrypted and authenticated (ChaCha20-Poly1305, RFC 8439).
//!
//! The nonce is the batch's number, which never repeats under a file's own key; the number and the run are part of
//! what is authenticated, so that batches can't be changed, exchanged or taken from another file.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::failure::Failure;

/// The most that a batch may come to when it is unpacked: one value of the largest kind that Redis has, and more.
const MOST_UNPACKED: u64 = 1 << 30;

pub(super) struct Seal {
    key: LessSafeKey,
    run: String,
}

impl Seal {
    pub(super) fn new(key: &[u8; 32], run: &str) -> Result<Self, Failure> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key)
            .map_err(|_| Failure::storage("the undo file's key can't be used", ""))?;
        Ok(Self { key: LessSafeKey::new(key), run: run.to_owned() })
    }

    fn aad(&self, number: u64) -> Aad<Vec<u8>> {
        Aad::from([&number.to_le_bytes(), self.run.as_bytes()].concat())
    }

    pub(super) fn close(&self, number: u64, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut packer = DeflateEncoder::new(Vec::with_capacity(plain.len() / 2 + 64), Compression::fast());
        let packed = packer.write_all(plain).and_then(|()| packer.finish());
        let mut sealed =
            packed.map_err(|error| Failure::storage(format!("a batch can't be packed: {error}"), ""))?;
        self.key
            .seal_in_place_append_tag(nonce(number), self.aad(number), &mut sealed)
            .map_err(|_| Failure::storage("a batch can't be encrypted", ""))?;
        Ok(sealed)
    }

    /// `None` where the batch is not what was written.
    pub(super) fn open(&self, number: u64, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let packed = self.key.open_in_place(nonce(number), self.aad(number), &mut sealed).ok()?;
        let mut plain = Vec::new();
        DeflateDecoder::new(&*packed).take(MOST_UNPACKED).read_to_end(&mut plain).ok()?;
        Some(plain)
    }
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}
