//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::purge_arguments::{AuditCommand, PurgeCommand};
use crate::warm_arguments::WarmCommand;

/// Live hit rate, latency, memory and evictions per key namespace.
#[derive(Debug, Parser)]
#[command(name = "cachescope", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Print JSON instead of a table.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How much harm a mistake would do; an unset one counts as production, where costly sources are off.
    #[arg(long, global = true, value_enum)]
    pub(crate) environment: Option<EnvironmentName>,
    /// Where state is kept [default: the platform's data folder].
    #[arg(long, global = true, value_name = "DIR", env = "CACHESCOPE_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Trust this certificate authority (PEM) instead of the system's.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Client certificate (PEM).
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Key of the client certificate (PEM).
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// How long one request may take.
    #[arg(long, global = true, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

/// An environment's name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum EnvironmentName {
    /// A developer's own.
    Development,
    /// Shared, but not with customers.
    Staging,
    /// Customers feel it.
    Production,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch for a while and print every namespace's figures once.
    Snapshot(Snapshot),
    /// The same as a live table.
    Watch(Snapshot),
    /// Count and weigh the keys of every namespace.
    Scan(Scan),
    /// Print every series of a metrics page as read, with its bad lines.
    Scrape(Scrape),
    /// Say what can be measured on a server, what not, why, and the lines that would enable it.
    Doctor(Doctor),
    /// Show, enable and restore the keyspace events of a server.
    Events {
        #[command(subcommand)]
        command: EventsCommand,
    },
    /// Watch for a while and judge the strategy's rules: exit status 1 where one fires or can't be judged.
    Check(Check),
    /// Set a mark, such as a deploy, that figures and alerts are read against.
    Mark(Mark),
    /// List the deployments that are kept, write them to a file, and read them from one.
    Deployments {
        #[command(subcommand)]
        command: DeploymentsCommand,
    },
    /// List, show and check strategies.
    Strategy {
        #[command(subcommand)]
        command: StrategyCommand,
    },
    /// Exchange alerting rules with Prometheus, and try them out.
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Remove keys: plan, preview, run with an approval, undo.
    Purge {
        #[command(subcommand)]
        command: Box<PurgeCommand>,
    },
    /// Fill keys before they are asked for: plan, preview, run with an approval or from a crontab.
    Warm {
        #[command(subcommand)]
        command: Box<WarmCommand>,
    },
    /// Show, verify and export what was done.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Serve every namespace's figures for a Prometheus to scrape, around the clock.
    Serve(Serve),
    /// Run local servers and a realistic workload to look at.
    Demo(Demo),
}

/// Where a deployment stands.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Target {
    /// Redis to watch: redis://, rediss://, unix:// or host:port, with user and password where needed.
    #[arg(long, value_name = "URL", env = "CACHESCOPE_REDIS_URL", hide_env_values = true)]
    pub(crate) redis: Option<String>,
    /// Read the Redis password from this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Ask for the Redis password.
    #[arg(long, conflicts_with = "password_file")]
    pub(crate) ask_password: bool,
    /// Reach the Redis through this SSH server, or alias of ~/.ssh/config, with the ssh of this machine.
    #[arg(long, value_name = "[USER@]HOST[:PORT]")]
    pub(crate) ssh: Option<String>,
    /// Private key for it, instead of those of the agent and of ~/.ssh/config.
    #[arg(long, value_name = "FILE", requires = "ssh")]
    pub(crate) ssh_key: Option<PathBuf>,
    /// Ask for the passphrase of that key; without one, for the password at the SSH server.
    #[arg(long)]
    pub(crate) ask_ssh_password: bool,
    /// Add the SSH server's key to your known hosts if it has this fingerprint and no key of it is known yet.
    #[arg(long, value_name = "SHA256:…")]
    pub(crate) ssh_trust: Option<String>,
    /// Reach the Prometheus and the metrics pages through the SSH server, too.
    #[arg(long)]
    pub(crate) ssh_http: bool,
    /// Prometheus server to query; basic authentication stands in the URL.
    #[arg(long, value_name = "URL", env = "CACHESCOPE_PROMETHEUS_URL", hide_env_values = true)]
    pub(crate) prometheus: Option<String>,
    /// Metrics page of the application; may be given more than once.
    #[arg(long, value_name = "URL")]
    pub(crate) metrics: Vec<String>,
    /// A built-in strategy's name or a strategy file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) strategy: Option<String>,
}

/// `snapshot` and `watch`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Snapshot {
    #[command(flatten)]
    pub(crate) target: Target,
    /// How long to watch before printing.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) watch_for: Duration,
    /// Only these sources, costly ones too: info, events, commands, slowlog, scan, probe, metrics, prometheus.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) sources: Option<Vec<String>>,
    /// Let slowlog change settings for a while where --environment production is given.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Add each namespace's tenants, where its template has a tenant field, to the JSON.
    #[arg(long, requires = "json")]
    pub(crate) tenants: bool,
}

/// `scan`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Weigh every key, instead of one in twenty.
    #[arg(long, conflicts_with = "precision")]
    pub(crate) exact: bool,
    /// Stop as soon as the bytes of every namespace are known within this share of all bytes, such as 2%.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) precision: Option<f64>,
    /// Keep the server busy instead of resting: for a server that serves nobody else.
    #[arg(long)]
    pub(crate) unthrottled: bool,
}

/// `scrape`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Scrape {
    /// The page's address.
    #[arg(value_name = "URL")]
    pub(crate) url: String,
}

/// `doctor`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) target: Target,
}

/// `events …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Say what the server announces, and the command that would add what is missing. Changes nothing.
    Show(Doctor),
    /// Have the server announce misses, evictions and expirations, until they are restored. Flags that are set stay.
    Enable(Enable),
    /// Put the setting back as it was before `enable`. Flags that others set meanwhile stay.
    Restore(Doctor),
}

/// `events enable`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Enable {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Change it on production too.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `check`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) target: Target,
    /// How long to watch before judging. Rules over a longer window are judged over what was watched.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) watch_for: Duration,
    /// Let a rule fire only where its threshold was passed for as long as its `for` says, judged every five
    /// seconds; without this, being past it at the end is enough.
    #[arg(long)]
    pub(crate) honour_for: bool,
    /// Only these sources, costly ones too: info, events, commands, slowlog, scan, probe, metrics, prometheus.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) sources: Option<Vec<String>>,
    /// Write the result as JUnit XML to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

/// `mark`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Mark {
    /// What was done, such as a version.
    #[arg(value_name = "WORDS")]
    pub(crate) words: String,
    /// Of which deployment, by its name or identity [default: of all].
    #[arg(long, value_name = "NAME")]
    pub(crate) deployment: Option<String>,
    /// Of the deployments at this address, as the window knows it.
    #[arg(long, value_name = "URL", conflicts_with = "deployment")]
    pub(crate) redis: Option<String>,
    /// That address behind this SSH server; without it, the address as it is reached directly.
    #[arg(long, value_name = "HOST[:PORT]", requires = "redis")]
    pub(crate) ssh: Option<String>,
    /// What kind of thing was done.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) kind: MarkKindName,
}

/// A mark's kind.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum MarkKindName {
    /// A new version of the application went live.
    #[default]
    Deploy,
    /// A setting was changed.
    Config,
    /// Keys were purged.
    Purge,
    /// Keys were warmed.
    Warm,
    /// Anything else.
    Note,
}

/// `deployments …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DeploymentsCommand {
    /// List what is kept in the state directory.
    List,
    /// Print all of them as a file, without a secret.
    Export,
    /// Add those of a file that are not kept yet: of Cachescope, Redis Insight, Another Redis Desktop Manager or Tiny
    /// RDM.
    Import {
        /// The file.
        file: PathBuf,
        /// Say what would be added, and add nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// `strategy …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum StrategyCommand {
    /// List the built-in strategies.
    List,
    /// Print a strategy.
    Show {
        /// A built-in strategy's name or a strategy file.
        #[arg(value_name = "NAME|FILE")]
        strategy: String,
    },
    /// Check a strategy file: every problem with its line and remedy.
    Check {
        /// The file.
        file: String,
    },
    /// Find the namespaces that the strategy does not document, and print the lines that would.
    Adopt(Adopt),
    /// Scan the keys and compare them with what the strategy documents: exit status 1 where they disagree.
    Audit(Scan),
}

/// `strategy adopt`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Adopt {
    #[command(flatten)]
    pub(crate) target: Target,
    /// How long to watch before printing.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) watch_for: Duration,
    /// Only these templates, as `snapshot` shows them.
    #[arg(value_name = "TEMPLATE")]
    pub(crate) templates: Vec<String>,
    /// Add the lines to the strategy file that --strategy names.
    #[arg(long, requires = "strategy")]
    pub(crate) write: bool,
}

/// `rules …`.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Print a strategy's rules as a Prometheus rule file.
    Export {
        /// A built-in strategy's name or a strategy file.
        #[arg(long, value_name = "NAME|FILE")]
        strategy: String,
    },
    /// Print the rules of a Prometheus rule file as a strategy file writes them.
    Import {
        /// The rule file.
        file: PathBuf,
        /// Whose readings and signals are recognised: a built-in strategy's name or a strategy file.
        #[arg(long, value_name = "NAME|FILE")]
        strategy: String,
    },
    /// Say which alert is pending or firing at which evaluation over the series of a file, in the notation of
    /// promtool's unit tests.
    Replay {
        /// A built-in strategy's name or a strategy file.
        #[arg(long, value_name = "NAME|FILE")]
        strategy: String,
        /// The series.
        #[arg(long, value_name = "FILE")]
        series: PathBuf,
    },
    /// Say when each rule would have fired, how often and for how long, and what other thresholds would have said.
    Backtest(Backtest),
}

/// `rules backtest`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Backtest {
    /// A built-in strategy's name or a strategy file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) strategy: String,
    /// Prometheus server that recorded; basic authentication stands in the URL.
    #[arg(
        long,
        value_name = "URL",
        env = "CACHESCOPE_PROMETHEUS_URL",
        hide_env_values = true,
        conflicts_with = "series"
    )]
    pub(crate) prometheus: Option<String>,
    /// From when: a time such as 2026-03-01T06:00:00Z, seconds since 1970, or how long ago, such as 24h.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub(crate) from: String,
    /// Until when, in the same words.
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub(crate) to: String,
    /// Series of a file, in the notation of promtool's unit tests.
    #[arg(long, value_name = "FILE")]
    pub(crate) series: Option<PathBuf>,
    /// This rule alone.
    #[arg(long, value_name = "NAME")]
    pub(crate) rule: Option<String>,
    /// Another threshold than the rule's own, in base units: shares from 0 to 1, seconds, bytes.
    #[arg(long, value_name = "X", requires = "rule", allow_negative_numbers = true)]
    pub(crate) threshold: Option<f64>,
    /// From one evaluation to the next [default: 1m, or the file's].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) interval: Option<Duration>,
}

/// `serve`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9419")]
    pub(crate) listen: String,
    /// Over which window the figures are: at least as long as from one scrape to the next.
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    pub(crate) window: Duration,
    /// Only these sources, costly ones too: info, events, commands, slowlog, scan, probe, metrics, prometheus.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) sources: Option<Vec<String>>,
}

/// `demo`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Demo {
    /// Which built-in strategy its service follows.
    #[arg(long, value_name = "NAME", default_value = "multi-tenant-saas")]
    pub(crate) strategy: String,
    /// Seed of the workload.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How busy it is, as a multiple of the usual rate.
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) rate: f64,
}

/// A percentage as a ratio: `2%`, `2 %`, `0.5%`.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    match number.parse::<f64>() {
        Ok(percent) if text.contains('%') && (0.1..=50.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("write a percentage from 0.1% to 50%, such as 2%".to_owned()),
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = cachescope_model::duration::parse(text).map_err(|error| error.to_string())?;
    if duration.is_zero() {
        return Err("it must be longer than nothing, such as 10s".to_owned());
    }
    Ok(duration)
}
