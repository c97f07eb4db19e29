//! What outlives the process: deployments, settings, changes to be put back, runs, the audit, and secrets.
//!
//! | file | what it holds |
//! |---|---|
//! | `store.rs` | [`Store`]: opening, and what is said about a damaged file |
//! | `deployments.rs`, `settings.rs` | what is kept, one kind a file |
//! | `alert_states.rs`, `alert_turns.rs` | how alerts stood when they were last judged, and what became of them |
//! | `marks.rs`, `silences.rs`, `channels.rs` | what people said about alerts, and whom they are told |
//! | `documents.rs` | words kept as JSON, read back one by one |
//! | `setting_changes.rs`, `holder.rs` | what was changed in servers and has to be put back, and who holds it |
//! | `audit.rs`, `runs.rs` | what was done, each row with the hash of the one before; runs of actions, approvals |
//! | `schema.rs` | the tables and their migrations |
//! | `writer.rs` | the one thread that owns the connection |
//! | `set_aside.rs` | what happens to a damaged file |
//! | `owner_only.rs` | who may read the files: the only place that knows about permissions |
//! | `opening_lock.rs` | one process at a time checks, sets aside and migrates |
//! | `url_secrets.rs` | the last look before a URL is written to disk |
//! | `secrets.rs`, `keychain.rs`, `held.rs` | [`Secrets`]: the operating system's keychain, or memory |
//!
//! Deliberately not here: what a deployment means, how a URL is split into address and password (the app
//! layer does that), and any secret in SQLite.

mod alert_states;
mod alert_turns;
mod audit;
mod channels;
mod deployments;
mod documents;
mod error;
mod held;
mod holder;
mod keychain;
mod marks;
mod opening_lock;
pub mod owner_only;
mod runs;
mod schema;
mod secrets;
mod set_aside;
mod setting_changes;
mod settings;
mod silences;
mod store;
mod url_secrets;
mod writer;

pub use alert_states::KeptStates;
pub use audit::{AuditRow, AuditVerdict, NewAuditRow};
pub use error::StoreError;
pub use holder::{ChangingLock, Holder};
pub use secrets::{Secrets, SecretsState};
pub use setting_changes::{NewChange, RecordedChange};
pub use store::{DATABASE_FILE, Store};
