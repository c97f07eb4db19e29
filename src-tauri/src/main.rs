//! The desktop shell: it translates between Tauri and the app, and does nothing else.
//!
//! | file | what |
//! |---|---|
//! | `desktop_host` | what the app needs to know about where it runs |
//! | `low_memory` | page and allocator without what they do not need, on Linux |
//! | `ipc` | the two commands of the page: ask, and watch |
//! | `only_one` | a second start shows the first's window |
//! | `launch` | what a start asks for: the demo, or a place that a link leads to |
//! | `windows` | the windows, where they stand, their colours, and where their page may not go |
//! | `tray` | how everything stands, as a picture and a number |
//! | `shutdown` | leaving in order, however the end was asked for |
//!
//! Deliberately not here: anything that the `cachescope` command would need as well. That lives in
//! `cachescope-app`.

// A release build on Windows must not open a console beside the window.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod desktop_host;
mod ipc;
mod launch;
#[cfg(target_os = "linux")]
mod low_memory;
#[cfg(unix)]
mod only_one;
mod shutdown;
mod tray;
mod windows;

use std::process::ExitCode;

use cachescope_app::custody::keeping;
use cachescope_app::{App, Host, askpass};
use tauri::async_runtime::block_on;
use tauri::{Manager as _, RunEvent};
use tracing_subscriber::EnvFilter;

use crate::desktop_host::DesktopHost;
use crate::launch::Asked;
use crate::windows::Windows;

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
    // Nor where an ssh of ours started it to ask something.
    if askpass::is_asked_for() {
        return askpass::run();
    }
    log_to_stderr();
    #[cfg(target_os = "linux")]
    low_memory::ensure();
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nothing before this has installed a TLS provider");

    let host = DesktopHost::new();
    let state_directory = host.state_directory();
    // Words that are no text are no links either.
    let words: Vec<String> = std::env::args_os().skip(1).flat_map(|word| word.into_string()).collect();
    #[cfg(unix)]
    let first = match only_one::claim(&state_directory, &words) {
        only_one::Claim::First(first) => first,
        only_one::Claim::HandedOver => return ExitCode::SUCCESS,
        only_one::Claim::Unheard => {
            tracing::error!(
                "Cachescope runs already on {} and does not answer; end it and start again",
                state_directory.display()
            );
            return ExitCode::FAILURE;
        }
    };
    let asked =
        Asked::of(words).or_demo(std::env::var_os("CACHESCOPE_DEMO").is_some_and(|value| value == "1"));
    let window_side = host.shell();
    let app = block_on(App::start(host));

    let shell = tauri::Builder::default()
        .manage(app.clone())
        .manage(ipc::Watches::default())
        .manage(Windows::new(state_directory))
        .invoke_handler(tauri::generate_handler![ipc::request, ipc::watch])
        .on_window_event(windows::heed)
        .setup(move |shell| {
            let (handle, app) = (shell.handle().clone(), shell.state::<App>().inner().clone());
            windows::open_main(&handle)?;
            tray::open(&handle);
            // Set once: there is one setup.
            drop(window_side.set((handle.clone(), app.clone())));
            shutdown::exit_on_signals(handle.clone());
            asked.begin(&handle, &app);
            #[cfg(unix)]
            first.carry_out(handle, app);
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
    shell.run(move |shell, event| match event {
        // Without a code it is the last window that was closed, and nobody who asked for the end.
        RunEvent::ExitRequested { code: None, api, .. } if block_on(app.window_settings()).stay_in_tray => {
            api.prevent_exit();
        }
        RunEvent::Exit => {
            shell.state::<Windows>().keep();
            block_on(shutdown::stop(&app));
        }
        _ => {}
    });
    ExitCode::SUCCESS
}

/// Standard error, filtered by `CACHESCOPE_LOG` in the notation of `tracing-subscriber`'s `EnvFilter`;
/// warnings and errors where it is unset.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("CACHESCOPE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
