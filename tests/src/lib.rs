//! What the integration and end-to-end tests share.
//!
//! | module | what |
//! |---|---|
//! | [`window`] | the real window, driven as a user would |
//! | [`keyboard`] | its keyboard, for journeys without a pointer |
//! | [`connection`] | its connection form, filled in |
//! | [`driver`] | the WebDriver program behind it |
//! | [`undriven`] | the program without it, for what goes on while no window is open |
//! | [`command`] | the `cachescope` command, run as a user would |
//! | [`figures`] | what it prints as JSON |
//! | [`programs`] | where the programs under test are, and where pictures go |
//! | [`linux`] | what `/proc` tells of them: age, memory and CPU |
//! | [`x11`] | a window's cross, clicked without a window manager, and the pointer |
//! | [`bench`] | for how many minutes a long bench measures |
//! | [`waiting`] | waiting for conditions instead of sleeping |
//!
//! The tests themselves are in `tests/`; those named `window_*` need a display, which
//! `cargo xtask test --only window` brings along.

pub mod bench;
pub mod command;
pub mod connection;
pub mod driver;
pub mod figures;
pub mod keyboard;
pub mod linux;
pub mod programs;
pub mod undriven;
pub mod waiting;
pub mod window;
pub mod x11;
