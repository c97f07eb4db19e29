//! The key that undo files are encrypted with: one of the installation, from which each file derives its own.

use std::fmt;

use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::failure::Failure;

/// Bytes of the key and of a file's salt.
const BYTES: usize = 32;

/// Where the installation's key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhereKept {
    /// In the keychain of the operating system.
    Keychain,
    /// In a file beside the undo files, which only its owner can read.
    File,
}

impl fmt::Display for WhereKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keychain => "encrypted with a key from the keychain",
            Self::File => "encrypted with a key that lies in a file of its own, readable by its owner alone",
        })
    }
}

/// The installation's key. It prints nothing of itself.
#[derive(Clone)]
pub struct MasterKey {
    bytes: [u8; BYTES],
    kept: WhereKept,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl MasterKey {
    /// A new one from the system's randomness.
    ///
    /// # Errors
    /// Where the system gives none.
    pub fn generate(kept: WhereKept) -> Result<Self, Failure> {
        Ok(Self { bytes: random()?, kept })
    }

    /// As [`to_hex`](Self::to_hex) wrote it; `None` where it is no key.
    #[must_use]
    pub fn from_hex(text: &str, kept: WhereKept) -> Option<Self> {
        let text = text.trim();
        if text.len() != BYTES * 2 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; BYTES];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(place * 2..place * 2 + 2)?, 16).ok()?;
        }
        Some(Self { bytes, kept })
    }

    /// For the keychain or the key file, and nothing else.
    #[must_use]
    pub fn to_hex(&self) -> String {
        canonical::hex(&self.bytes)
    }

    /// Where it is kept.
    #[must_use]
    pub fn kept(&self) -> WhereKept {
        self.kept
    }

    /// Tells this key from others and says nothing about it.
    pub(super) fn id(&self) -> String {
        let labelled: Vec<u8> = [&b"cachescope undo key id"[..], &self.bytes].concat();
        canonical::sha256(&labelled)[..16].to_owned()
    }

    /// The key of one file: HKDF-SHA256 over the file's own salt, so that no two files share a key.
    pub(super) fn of_file(&self, salt: &[u8]) -> Result<[u8; BYTES], Failure> {
        let mut key = [0; BYTES];
        hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
            .extract(&self.bytes)
            .expand(&[b"cachescope undo file"], hkdf::HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut key))
            .map_err(|_| Failure::storage("the undo file's key can't be derived", ""))?;
        Ok(key)
    }
}

/// Random bytes.
pub(super) fn random() -> Result<[u8; BYTES], Failure> {
    let mut bytes = [0; BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::storage("the system gives no random numbers for a key", ""))?;
    Ok(bytes)
}
