//! The desktop shell: it translates between Tauri and the app, and does nothing else.
//!
//! | file | what |
//! |---|---|
//! | `desktop_host` | what the app needs to know about where it runs |
//! | `low_memory` | page and allocator without what they do not need, on Linux |
//! | `ipc` | the two commands of the page: ask, and watch |
//! | `window` | the window, its colours, and where its page may not go |
//! | `tray` | how everything stands, as a picture and a number |
//! | `shutdown` | leaving in order, however the end was asked for |
//!
//! Deliberately not here: anything that the `cachescope` command would need as well. That lives in
//! `cachescope-app`.

// A release build on Windows must not open a console beside the window.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod desktop_host;
mod ipc;
#[cfg(target_os = "linux")]
mod low_memory;
mod shutdown;
mod tray;
mod window;

use std::process::ExitCode;

use cachescope_app::custody::keeping;
use cachescope_app::wire::Request;
use cachescope_app::{App, Host};
use tauri::async_runtime::{block_on, spawn};
use tauri::{Manager as _, RunEvent};
use tracing_subscriber::EnvFilter;

use crate::desktop_host::DesktopHost;

/// What thousands of namespaces need for a moment is made and dropped by whichever thread is free. The system's
/// allocator would keep the most that each thread ever needed; this one gives it back. Its third version keeps
/// more for longer than the second, and huge pages would keep all around whatever stays.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything else: as a keeper there is no window.
    if keeping::is_asked_for() {
        return keeping::run();
    }
    log_to_stderr();
    #[cfg(target_os = "linux")]
    low_memory::ensure();
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nothing before this has installed a TLS provider");

    let host = DesktopHost::new();
    let webview_data = host.state_directory().join("webview");
    let window_side = host.shell();
    let app = block_on(App::start(host));
    if wants_demo() {
        start_demo(app.clone());
    }

    let shell = tauri::Builder::default()
        .manage(app.clone())
        .manage(ipc::Watches::default())
        .invoke_handler(tauri::generate_handler![ipc::request, ipc::watch])
        .on_window_event(ipc::end_watch_of_destroyed_window)
        .setup(move |shell| {
            window::open_main(shell.handle(), webview_data)?;
            tray::open(shell.handle());
            // Set once: there is one setup.
            drop(window_side.set((shell.handle().clone(), shell.state::<App>().inner().clone())));
            shutdown::exit_on_signals(shell.handle().clone());
            Ok(())
        })
        .build(tauri::generate_context!());
    let shell = match shell {
        Ok(shell) => shell,
        Err(error) => {
            tracing::error!(
                "the window could not be opened: {error}; is a display (DISPLAY or WAYLAND_DISPLAY) there?"
            );
            block_on(shutdown::stop(&app));
            std::process::exit(1);
        }
    };
    shell.run(move |_, event| {
        if let RunEvent::Exit = event {
            block_on(shutdown::stop(&app));
        }
    });
    ExitCode::SUCCESS
}

/// Standard error, filtered by `CACHESCOPE_LOG` in the notation of `tracing-subscriber`'s `EnvFilter`;
/// warnings and errors where it is unset.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("CACHESCOPE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// `--demo`, or `CACHESCOPE_DEMO=1` for launchers that can't pass arguments.
fn wants_demo() -> bool {
    std::env::args_os().skip(1).any(|argument| argument == "--demo")
        || std::env::var_os("CACHESCOPE_DEMO").is_some_and(|value| value == "1")
}

/// Starts the demo while the window opens; the page hears of it as of any change to the deployments.
fn start_demo(app: App) {
    spawn(async move {
        if let Err(error) = app.handle(Request::StartDemo {}).await {
            tracing::error!("the demo could not be started: {error} {}", error.remedy);
        }
    });
}
