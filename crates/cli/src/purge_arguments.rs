//! What can be typed of purges and the audit.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::action_arguments::{Gentleness, Signature, parameter};
use crate::arguments::{Target, duration};

/// `purge …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PurgeCommand {
    /// Print the plan: what would be done, where and how. Asks no server.
    Plan(Planned),
    /// Count what a plan would do, and issue the approval that runs it once within five minutes. Writes nothing.
    Preview(Preview),
    /// Run what a preview approved, or let an interrupted run go on.
    Run(Run),
    /// Put back what a run removed, never over a key that exists.
    Undo(Undo),
    /// List the runs of this state directory.
    List,
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
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// Whom steps of a playbook ask over HTTP. Their tokens come from the environment, so that they stand in no process
/// list: CACHESCOPE_APPLICATION_TOKEN and CACHESCOPE_CDN_TOKEN, when the run starts as well.
#[derive(Clone, Debug, Args)]
pub(crate) struct Asking {
    /// Base address of the application, for steps that call one of its endpoints.
    #[arg(long, value_name = "URL")]
    pub(crate) application: Option<String>,
    /// Address that invalidates at the CDN; {path} stands for one path.
    #[arg(long, value_name = "URL")]
    pub(crate) cdn: Option<String>,
    /// Its method [default: POST].
    #[arg(long, value_name = "METHOD", requires = "cdn")]
    pub(crate) cdn_method: Option<String>,
    /// Its body, where {paths} stands for a JSON list of the paths.
    #[arg(long, value_name = "JSON", requires = "cdn")]
    pub(crate) cdn_body: Option<String>,
    /// These addresses may be in a private network.
    #[arg(long)]
    pub(crate) private_addresses: bool,
}

/// Which keys.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false, id = "which", args = ["pattern", "namespace", "playbook", "tag", "keys"])]
pub(crate) struct What {
    /// Keys that a Redis glob matches.
    #[arg(long, value_name = "GLOB", allow_hyphen_values = true)]
    pub(crate) pattern: Option<String>,
    /// Keys of a namespace: its template, or its name in the strategy.
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) namespace: Option<String>,
    /// A playbook of the strategy.
    #[arg(long, value_name = "NAME")]
    pub(crate) playbook: Option<String>,
    /// Keys that the set tag:TAG names.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// A key, with \xHH for what can't be typed; may be given more than once.
    #[arg(long = "key-name", value_name = "KEY", id = "keys")]
    pub(crate) keys: Vec<String>,
    /// With --namespace: only this tenant's keys.
    #[arg(long, value_name = "TENANT", requires = "namespace")]
    pub(crate) tenant: Option<String>,
    /// With --namespace: only keys of versions below this one.
    #[arg(long, value_name = "VERSION", requires = "namespace")]
    pub(crate) stale_below: Option<u64>,
    /// With --playbook: a parameter; may be given more than once.
    #[arg(long = "set", value_name = "FIELD=VALUE", requires = "playbook", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,
    /// With --pattern: let the keys live this long at most instead of deleting them.
    #[arg(long, value_name = "DURATION", requires = "pattern", value_parser = duration)]
    pub(crate) soft: Option<Duration>,
    /// With --soft: shorter by up to this, at random.
    #[arg(long, value_name = "DURATION", requires = "soft", value_parser = duration)]
    pub(crate) jitter: Option<Duration>,
}

/// How it is run.
#[derive(Clone, Debug, Args)]
pub(crate) struct How {
    /// Keep nothing: what is removed can't be put back.
    #[arg(long)]
    pub(crate) no_undo: bool,
    #[command(flatten)]
    pub(crate) gentleness: Gentleness,
}

/// `purge preview`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Preview {
    #[command(flatten)]
    pub(crate) planned: Planned,
    /// Watch the deployment this long first, so that reads are known by namespace.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) watch_for: Option<Duration>,
}

/// `purge run`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The token that the preview printed.
    #[arg(long, value_name = "TOKEN", required_unless_present = "resume")]
    pub(crate) approve: Option<String>,
    /// Let this interrupted or halted run go on.
    #[arg(long, value_name = "RUN", conflicts_with = "approve")]
    pub(crate) resume: Option<String>,
    #[command(flatten)]
    pub(crate) signature: Signature,
}

/// `purge undo`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Undo {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The run.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Only keys of this namespace.
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) namespace: Option<String>,
    /// Only this key; may be given more than once.
    #[arg(long = "key-name", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
}

/// `audit …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// The newest rows.
    List,
    /// Check that every row follows from the one before.
    Verify,
    /// Print all rows, the oldest first.
    Export {
        /// How.
        #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
        format: ExportFormat,
    },
}

/// How the audit is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ExportFormat {
    /// JSON Lines.
    Jsonl,
    /// CSV.
    Csv,
}
