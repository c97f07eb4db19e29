//! Strategies as shells choose them: built in by name, or a team's own file by path.

use cachescope_model::strategy::Strategy;
use cachescope_strategy::{BUILT_IN, StrategyError};

use crate::wire::{StrategyCheck, StrategySummary};

fn summary(name: &str, strategy: &Strategy, built_in: bool) -> StrategySummary {
    StrategySummary {
        name: name.to_owned(),
        title: strategy.title.clone(),
        summary: strategy.summary.clone(),
        namespaces: u32::try_from(strategy.namespaces.len()).unwrap_or(u32::MAX),
        built_in,
    }
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|built_in| built_in.name == name)
}

/// The built-in strategies.
#[must_use]
pub fn built_in() -> Vec<StrategySummary> {
    BUILT_IN
        .iter()
        .filter_map(|built_in| cachescope_strategy::built_in(built_in.name))
        .map(|strategy| summary(&strategy.name, &strategy, true))
        .collect()
}

/// Reads a strategy by name or path, off the runtime's threads: a path may lead to a slow disk.
///
/// # Errors
/// As the loader tells them, file, line and remedy.
pub async fn resolve(name_or_path: String) -> Result<Strategy, StrategyError> {
    let path = name_or_path.clone();
    match tokio::task::spawn_blocking(move || cachescope_strategy::resolve(&name_or_path)).await {
        Ok(read) => read,
        Err(error) => Err(StrategyError::Unreadable {
            path: path.into(),
            reason: std::io::Error::other(format!("reading it was broken off: {error}")),
        }),
    }
}

/// Reads a strategy and tells what is wrong or doubtful about it.
pub async fn check(name_or_path: String) -> StrategyCheck {
    let name = name_or_path.clone();
    let inspected = tokio::task::spawn_blocking(move || cachescope_strategy::inspect(&name_or_path)).await;
    match inspected {
        Ok(Ok(checked)) => StrategyCheck {
            summary: checked.strategy.map(|strategy| summary(&name, &strategy, is_built_in(&name))),
            problems: checked.problems.iter().map(ToString::to_string).collect(),
        },
        Ok(Err(error)) => StrategyCheck { summary: None, problems: error.sentences() },
        Err(error) => {
            StrategyCheck { summary: None, problems: vec![format!("{name} could not be read: {error}")] }
        }
    }
}
