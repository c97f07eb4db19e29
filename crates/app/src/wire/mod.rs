//! The wire contract: every request, reply and frame that a shell can exchange with the app, declared once.
//!
//! `ui/src/lib/bindings/` is generated from here by `cargo xtask bindings`; a shell that misses a reply does
//! not compile. The page is untrusted: nothing here carries a secret outwards, and nothing here grants a right.

mod actions;
mod alerts;
mod document;
mod error;
mod frames;
mod places;
mod prices;
mod requests;
mod transfer;
mod views;
mod warm;

pub use actions::*;
pub use alerts::*;
pub use document::*;
pub use error::{WireError, WireErrorCode};
pub use frames::{DocumentedLimit, Frame, InstanceFrame, OverviewFrame, OverviewRow, View};
pub use places::{Place, WindowSettings};
pub use prices::{IssuedApproval, SettingOutcome, SettingPreview, SourcePrice};
pub use requests::{Reply, Request};
pub use transfer::*;
pub use views::*;
pub use warm::*;
