//! Ways to a server that only an SSH server can reach.
//!
//! The operator's own `ssh` does the work: it reads their configuration, asks their agents and hardware keys, jumps
//! over their jump hosts and knows their known hosts. We start it once a deployment as a master of connections, and
//! ask it for one way a connection, over the socket that its `ControlPath` names.
//!
//! | file | what |
//! |---|---|
//! | `hop` | what may be typed, and what is refused because `ssh` would read it as something else |
//! | `command` | the words `ssh` is started with |
//! | `master` | the process: started, awaited, ended with us |
//! | `said` | what it said, for the words of an error |
//! | `mux` | asking it for a way to an address |
//! | `door` | a way for a library that opens its connections itself, as the client of HTTP does |
//! | `directory` | where their sockets lie |
//! | `askpass` | its questions, and our answers |
//! | `host_key` | a host whose key is not known, and one that the operator trusts |
//! | `failure` | what became of it in one sentence, with the step that failed |
//! | `tunnel` | one master for many connections, started again when it is lost |
//!
//! Host keys are always verified, whatever the configuration says: a key that is not known is refused unless the operator
//! has approved its fingerprint, and one that has changed is refused loudly.

pub mod askpass;
mod command;
mod directory;
mod door;
mod failure;
mod hop;
mod host_key;
mod master;
mod mux;
mod said;
mod tunnel;

pub(crate) use door::Door;
pub use hop::{check, parse};
pub use host_key::{TrustedKey, UnknownHost};
pub(crate) use mux::Way;
pub use tunnel::Tunnel;
