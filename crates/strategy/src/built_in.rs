//! The five strategies that come with Cachescope, one for each document they were written from.

use cachescope_model::strategy::Strategy;

use crate::document::parse;
use crate::problem::StrategyError;

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

/// The built-in strategy of this name.
///
/// # Errors
/// When there is none of this name; the message lists those there are.
pub fn built_in(name: &str) -> Result<Strategy, StrategyError> {
    let Some(found) = BUILT_IN.iter().find(|strategy| strategy.name == name) else {
        let names: Vec<&str> = BUILT_IN.iter().map(|strategy| strategy.name).collect();
        let advice = format!("write one of {}", names.join(", "));
        return Err(StrategyError::Unknown { name: name.to_owned(), advice });
    };
    parse(found.file, found.text)
}
