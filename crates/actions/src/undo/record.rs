//! What is kept of one key.

/// A key as it was just before it was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its logical database.
    pub database: u16,
    /// Its name.
    pub key: Vec<u8>,
    /// When it would have expired, in milliseconds since 1970 by the server's clock; `None` where never.
    pub expires_at_ms: Option<u64>,
    /// Its value as DUMP gives it.
    pub payload: Vec<u8>,
}

const NEVER: u64 = u64::MAX;

impl Kept {
    /// Bytes it takes, about.
    pub(crate) fn len(&self) -> usize {
        self.key.len() + self.payload.len() + 18
    }
}

pub(super) fn write(records: &[Kept], bytes: &mut Vec<u8>) {
    bytes.reserve(records.iter().map(Kept::len).sum());
    for record in records {
        bytes.extend(record.database.to_le_bytes());
        bytes.extend(record.expires_at_ms.unwrap_or(NEVER).to_le_bytes());
        bytes.extend((record.key.len() as u32).to_le_bytes());
        bytes.extend((record.payload.len() as u32).to_le_bytes());
        bytes.extend(&record.key);
        bytes.extend(&record.payload);
    }
}

/// `None` where the bytes are no records.
pub(super) fn read(mut bytes: &[u8]) -> Option<Vec<Kept>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let mut take = |length: usize| {
            let (taken, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            Some(taken)
        };
        let database = u16::from_le_bytes(take(2)?.try_into().ok()?);
        let expires = u64::from_le_bytes(take(8)?.try_into().ok()?);
        let key_length = u32::from_le_bytes(take(4)?.try_into().ok()?);
        let payload_length = u32::from_le_bytes(take(4)?.try_into().ok()?);
        let key = take(key_length as usize)?.to_vec();
        let payload = take(payload_length as usize)?.to_vec();
        let expires_at_ms = (expires != NEVER).then_some(expires);
        records.push(Kept { database, key, expires_at_ms, payload });
    }
    Some(records)
}
