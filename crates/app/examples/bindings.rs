//! Writes the TypeScript types of the wire contract into the directory given as the only argument.
//!
//! `cargo xtask bindings` runs this; `cargo xtask test` runs it into a temporary directory and fails when the
//! committed files differ.

use std::process::ExitCode;

use cachescope_app::wire::{Frame, Reply, Request, View, WireError};
use ts_rs::{Config, TS};

fn main() -> ExitCode {
    let Some(directory) = std::env::args().nth(1) else {
        eprintln!("usage: bindings DIRECTORY");
        return ExitCode::from(2);
    };
    let config = Config::new().with_out_dir(directory).with_large_int("number");
    let written = Request::export_all(&config)
        .and_then(|()| Reply::export_all(&config))
        .and_then(|()| Frame::export_all(&config))
        .and_then(|()| View::export_all(&config))
        .and_then(|()| WireError::export_all(&config));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bindings: {error}");
            ExitCode::FAILURE
        }
    }
}
