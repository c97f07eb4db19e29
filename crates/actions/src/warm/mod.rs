//! Filling a cache before it is asked.
//!
//! `plan` is what is to be filled, `endpoint` and `loader` call an application, `dump` and `source` copy,
//! `server_clock` carries ends of life from server to server, `placed` finds each key's server, `strain` sees when a server is too full, `claims` keep two from loading one key, `candidates`
//! says what is worth it, `outlook` previews, `schedule` says when. Running it is the driver's, as of every action.

pub mod candidates;
pub(crate) mod claims;
pub(crate) mod dump;
pub(crate) mod endpoint;
pub(crate) mod loader;
pub(crate) mod outlook;
pub(crate) mod placed;
mod plan;
pub mod schedule;
pub(crate) mod server_clock;
mod source;
pub(crate) mod strain;

pub use endpoint::EndpointSecrets;
pub use outlook::{MissedKey, WarmOutlook, WonBack};
pub use plan::{CopyFrom, Endpoint, SecretHeader, Success, Warm, WarmLimits, WarmWay};
pub use source::{CopySource, OpensUndo, WarmContext};
