//! `cargo xtask`: everything a developer does with this repository that is more than one `cargo` command.
//!
//! | file | what |
//! |---|---|
//! | `setup`, `demo`, `test`, `bench`, `bindings`, `bundle`, `screenshots` | the commands, one file or folder each |
//! | `packages` | which packages of the system are needed for what, and how they are installed |
//! | `page` | the page: its packages, its checks, its build |
//! | `built_tests` | the test programs, compiled once and run one by one |
//! | `run` | child processes: what they print, how long they may take, and that they end |
//! | `display` | a display to open windows on, real or virtual |
//! | `workspace` | where things are |
//!
//! It knows no network protocol and no crate of the product, so that it builds in seconds.

mod bench;
mod bindings;
mod built_tests;
#[cfg(target_os = "linux")]
mod bundle;
mod demo;
mod display;
mod packages;
mod page;
mod run;
mod screenshots;
mod setup;
mod test;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  setup         install what is missing: packages of the system, of the page, cargo-deny
  demo          build and open the window on a local Redis and Prometheus with traffic
  test          every check, as continuous integration runs them
                  --only STEP   nothing but this step (may be given more than once)
                  --skip STEP   everything but this step (may be given more than once)
                  --list        name the steps
  bench         the benchmarks, in release builds, and their ratios
  bindings      write the page's types of the wire contract to ui/src/lib/bindings
  bundle        on Linux: a Debian package of both programs, in target/bundle
                  --built FOLDER   of the programs in this folder, instead of building them
  screenshots   the real window in several sizes and both themes, to artifacts/screenshots";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["setup"] => setup::run(),
        ["demo"] => demo::run(),
        ["test", options @ ..] => match test::Options::parse(options) {
            Ok(options) => test::run(&options),
            Err(problem) => return usage(&problem),
        },
        ["bench"] => bench::run(),
        ["bindings"] => bindings::write(),
        #[cfg(target_os = "linux")]
        ["bundle"] => bundle::run(),
        #[cfg(target_os = "linux")]
        ["bundle", "--built", folder] => bundle::pack(std::path::Path::new(folder)),
        ["screenshots"] => screenshots::run(),
        [] | ["help" | "--help" | "-h"] => {
            eprintln!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => return usage(&format!("{:?} is no command", other.join(" "))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("xtask: {problem}\n\n{USAGE}");
    ExitCode::from(2)
}
