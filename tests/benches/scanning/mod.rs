//! What the bench of scans runs on and against.

pub(crate) mod clients;
pub(crate) mod keyspace;
pub(crate) mod peers;
