//! What can be typed of every action: how gently it runs, and who answers for it.

use std::time::Duration;

use cachescope_actions::clock::{Clock as _, MachineClock};
use cachescope_actions::guards::{ARMED_FOR, Said};
use cachescope_actions::plan::HowToRun;
use cachescope_app::actions::planning;
use cachescope_model::deployment::Environment;
use clap::Args;

use crate::arguments::duration;

/// How gently it runs, and what it goes beyond.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Gentleness {
    /// Work as fast as the servers can, whatever others feel.
    #[arg(long, conflicts_with = "throttled")]
    unthrottled: bool,
    /// Spare other clients also where the environment would not ask for it.
    #[arg(long)]
    throttled: bool,
    /// Watch the server this long after the first 1 % and the first 10 % [default: by environment].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    watch_between: Option<Duration>,
    /// Include keys of protected namespaces.
    #[arg(long)]
    protected_too: bool,
    /// Go beyond the limits of the share of keys and reads.
    #[arg(long)]
    beyond_limits: bool,
}

impl Gentleness {
    /// How it is run: what was typed, otherwise what is usual in the environment.
    pub(crate) fn how(&self, environment: Environment) -> HowToRun {
        let usual = planning::how(environment);
        HowToRun {
            throttle: self.throttled || (usual.throttle && !self.unthrottled),
            watch_between_waves_ms: self
                .watch_between
                .map_or(usual.watch_between_waves_ms, |watch| watch.as_millis() as u64),
            protected_too: self.protected_too,
            beyond_limits: self.beyond_limits,
            ..usual
        }
    }
}

/// What the operator gives for an approval.
#[derive(Clone, Debug, Args)]
pub(crate) struct Signature {
    /// The deployment's name, typed; production wants it.
    #[arg(long, value_name = "NAME")]
    type_name: Option<String>,
    /// Why, for the audit; production wants it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Arm the deployment; production wants it.
    #[arg(long)]
    arm: bool,
}

impl Signature {
    /// What is said now.
    pub(crate) fn said(&self) -> Said {
        let now = MachineClock.read().wall;
        Said {
            name: self.type_name.clone(),
            reason: self.reason.clone(),
            armed_until: self.arm.then(|| now.plus_millis(ARMED_FOR.as_millis() as i64)),
        }
    }
}

/// `FIELD=VALUE`.
pub(crate) fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write FIELD=VALUE, such as tenantId=7".to_owned()),
    }
}
