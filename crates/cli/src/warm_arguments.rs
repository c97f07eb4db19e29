//! What can be typed of warms.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::action_arguments::{Gentleness, Signature, parameter};
use crate::arguments::{Target, duration};

/// `warm …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum WarmCommand {
    /// Print the plan: what would be loaded, from where and how gently; without a plan's name, list the documented ones.
    Plan(Planned),
    /// Look which keys are due and whether they can be loaded, and issue the approval that runs it once within five
    /// minutes. Writes nothing and calls no endpoint.
    Preview(Preview),
    /// Run what a preview approved, or let an interrupted run go on, or, for a crontab, preview and run at once.
    Run(Run),
}

/// What is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct Planned {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) what: What,
    #[command(flatten)]
    pub(crate) how: How,
}

/// What is loaded.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct What {
    /// A warm plan of the strategy.
    #[arg(long, value_name = "NAME")]
    pub(crate) plan: Option<String>,
    /// A namespace: its template, or its name in the strategy.
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) namespace: Option<String>,
    /// Only this tenant's keys.
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<String>,
    /// Load this key; may be given more than once. Without any: the keys that are missed most.
    #[arg(long = "key-name", value_name = "KEY", conflicts_with_all = ["of_run", "expiring_within"])]
    pub(crate) keys: Vec<String>,
    /// Load the keys that this purge removed, by its undo file.
    #[arg(long, value_name = "RUN", conflicts_with = "expiring_within")]
    pub(crate) of_run: Option<String>,
    /// Load again the keys that expire within this time.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) expiring_within: Option<Duration>,
    /// The URL that loads a key, with the key's fields as {field}, all of them as {query} (a=1&b=2), and the namespace's
    /// name as {namespace}.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The application's address, where the plan's URL is a path.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The method, in place of the plan's.
    #[arg(long, value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// A header without secrets; may be given more than once.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) body: String,
    /// A parameter of the plan's URL; may be given more than once.
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,
    /// The endpoint may be in a private network or on this machine.
    #[arg(long)]
    pub(crate) allow_private: bool,
    /// Copy from another Redis, or from an undo file as undo:RUN, never over a key that exists.
    #[arg(long, value_name = "URL|undo:RUN", conflicts_with_all = ["url", "refresh"])]
    pub(crate) from: Option<String>,
    /// Shorten copied times to live by up to so many percent, at random.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, requires = "from", value_parser = clap::value_parser!(u32).range(0..=90))]
    pub(crate) jitter: u32,
    /// Replace the namespace's values a few keys at a time: each few are removed and loaded before the next.
    #[arg(long, requires = "namespace")]
    pub(crate) refresh: bool,
    /// With --refresh: let keys live this long instead of removing them, for endpoints that store anew.
    #[arg(long, value_name = "DURATION", requires = "refresh", value_parser = duration)]
    pub(crate) soft: Option<Duration>,
    /// Read the endpoint's bearer token from this file instead of CACHESCOPE_ENDPOINT_TOKEN.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// How gently.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct How {
    /// Requests a minute at most.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) per_minute: Option<u32>,
    /// Requests at a time at most.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) concurrency: Option<u32>,
    /// Share of requests that may fail or fill nothing.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) errors: Option<u32>,
    /// Deadline of one request.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) request_timeout: Option<Duration>,
    /// How often a request that failed for a while is repeated.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) retries: Option<u32>,
    #[command(flatten)]
    pub(crate) gentleness: Gentleness,
}

/// `warm preview`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Preview {
    #[command(flatten)]
    pub(crate) planned: Planned,
    /// Watch the deployment this long first, so that missed keys and hit rates are known.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) watch_for: Option<Duration>,
}

/// `warm run`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) planned: Planned,
    /// The token that the preview printed.
    #[arg(long, value_name = "TOKEN", required_unless_present_any = ["resume", "unattended"])]
    pub(crate) approve: Option<String>,
    /// Let this interrupted or halted run go on.
    #[arg(long, value_name = "RUN", conflicts_with = "approve")]
    pub(crate) resume: Option<String>,
    /// Preview and run at once, as a crontab does; what a guard refuses does not run.
    #[arg(long, conflicts_with_all = ["approve", "resume"])]
    pub(crate) unattended: bool,
    /// With --unattended: run only the plan with this hash, as `warm plan` prints it.
    #[arg(long, value_name = "HASH", requires = "unattended")]
    pub(crate) plan_hash: Option<String>,
    /// With --unattended: watch the deployment this long first, so that missed keys are known.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "unattended")]
    pub(crate) watch_for: Option<Duration>,
    /// Where somebody else runs the same plan, wait so long for them instead of leaving.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) wait: Option<Duration>,
    #[command(flatten)]
    pub(crate) signature: Signature,
}
