//! The `cachescope` command: the second shell, and the proof that the engine needs no window.
//!
//! Tables for people, `--json` for programs. Exit status: 0 fine, 1 an alert fires or a check fails, 2 bad
//! usage or input, 3 a server can't be reached or refuses. Errors are one line on standard error.

mod action_arguments;
mod arguments;
mod commands;
mod custody;
mod deployment;
mod failure;
mod figures;
mod output;
mod purge_arguments;
mod ssh_arguments;
mod table;
mod warm_arguments;

use std::io::Write as _;
use std::process::ExitCode;

use cachescope_app::askpass;
use cachescope_app::custody::keeping;
use clap::Parser as _;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    // Before anything else: a keeper has no arguments to read.
    if keeping::is_asked_for() {
        return keeping::run();
    }
    // Nor has one that an ssh of ours started to ask something.
    if askpass::is_asked_for() {
        return askpass::run();
    }
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("CACHESCOPE_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error")),
        )
        .with_writer(std::io::stderr)
        .init();
    // Every TLS connection of the process needs one provider; ring builds everywhere without further tools.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::input(format!("no threads to run on: {error}")))),
    };
    let ended = runtime.block_on(run(arguments));
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    end(ended)
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = arguments.common;
    match arguments.command {
        Command::Snapshot(command) => commands::snapshot::run(command, &common).await,
        Command::Watch(command) => commands::watch::run(command, &common).await,
        Command::Scan(command) => commands::scan::run(command, &common).await,
        Command::Scrape(command) => commands::scrape::run(command, &common).await,
        Command::Doctor(command) => commands::doctor::run(command, &common).await,
        Command::Events { command } => commands::events::run(command, &common).await,
        Command::Check(command) => commands::check::run(command, &common).await,
        Command::Mark(command) => commands::mark::run(command, &common).await,
        Command::Deployments { command } => commands::deployments::run(command, &common).await,
        Command::Strategy { command } => commands::strategy::run(command, &common).await,
        Command::Rules { command } => commands::rules::run(command, &common).await,
        Command::Purge { command } => Box::pin(commands::purge::run(*command, &common)).await,
        Command::Warm { command } => Box::pin(commands::warm::run(*command, &common)).await,
        Command::Audit { command } => commands::audit::run(command, &common).await,
        Command::Serve(command) => commands::serve::run(command, &common).await,
        Command::Demo(command) => commands::demo::run(command, &common).await,
    }
}

fn end(ended: Result<(), Failure>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // One line, whatever the sentence holds: scripts read it.
            let line = failure.to_string().replace('\n', " ");
            let written = writeln!(std::io::stderr(), "cachescope: {line}");
            drop(written);
            failure.exit_code()
        }
    }
}
