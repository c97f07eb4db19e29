//! Keeping what is removed, and putting it back.
//!
//! `key` derives a file's key, `seal` encrypts batches, `record` is what is kept of one key, `file` writes and reads
//! them, `restore` puts them back.

mod file;
mod key;
mod record;
mod restore;
mod seal;

pub use file::{UndoReader, UndoWriter};
pub use key::{MasterKey, WhereKept};
pub use record::Kept;
pub use restore::{Part, Progress, restore};
