//! The settings of a server that Cachescope may change for a while: planned, changed, and put back.
//!
//! | file | question |
//! |---|---|
//! | `setting.rs` | which settings, and how a change of one is written |
//! | `flags.rs` | what may be taken out of a set of flags again |
//! | `plan.rs` | what would be changed, from what, under which start of the server |
//! | `change.rs` | changing what was planned, if it is still as it was shown |
//! | `put_back.rs` | putting back what still is ours |
//!
//! Nothing here decides that a change may be made, or remembers it: that is the app's. What an operator of
//! another machine's Cachescope changed can't be told from what the operator changed: no server notes who set
//! a value.
//!
//! Reading a value and writing it are two commands, and a server offers no way to make them one: a change that
//! somebody else makes within that one round trip is not seen.

mod change;
mod flags;
mod plan;
mod put_back;
mod setting;

pub use change::{change, run_id_of};
pub(crate) use change::{run_id, value};
pub use plan::{ChangePlan, KnownChange, PlannedChange, plan_events, plan_slow_log};
pub(crate) use put_back::slow_log_commands;
pub use put_back::{PutBack, put_back};
pub use setting::{Setting, config_set};
