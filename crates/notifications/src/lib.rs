//! Telling somebody on their desktop: notifications that report a click ([`Notifier`]), and the tray's pictures
//! ([`picture`]).
//!
//! Deliberately not here: which alerts are told, and the tray itself, which belongs to the window's toolkit.

mod notifier;
pub mod picture;

pub use notifier::{Notification, Notifier};
