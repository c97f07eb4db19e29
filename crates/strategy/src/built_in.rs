//! The five strategies that come with Cachescope, one for each document they were written from.

use cachescope_model::strategy::Strategy;

use crate::document::parse;

/// A strategy that comes with Cachescope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name, as `--strategy` takes it.
    pub name: &'static str,
    /// Where its file stands in the project.
    pub file: &'static str,
    /// The file's text.
    pub text: &'static str,
}

macro_rules! built_in {
    ($($name:literal),*) => {
        &[$(BuiltIn {
            name: $name,
            file: concat!("strategies/", $name, ".toml"),
            text: include_str!(concat!("../../../strategies/", $name, ".toml")),
        }),*]
    };
}

/// Every built-in strategy.
pub const BUILT_IN: &[BuiltIn] =
    built_in!["hotspot", "multi-tenant-saas", "booking", "hot-rod-analytics", "task-management"];

/// The built-in strategy of this name; `None` where there is none.
///
/// # Panics
/// Never: the tests read every built-in file.
#[must_use]
pub fn built_in(name: &str) -> Option<Strategy> {
    let found = BUILT_IN.iter().find(|strategy| strategy.name == name)?;
    Some(parse(found.file, found.text).expect("the tests read every built-in file"))
}
