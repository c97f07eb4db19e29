//! `cachescope watch`: the same figures as a live table.

use std::io::{IsTerminal as _, Write as _};

use cachescope_app::session::{ScanPlan, Session};
use cachescope_model::window::Window;

use crate::arguments::{Common, Snapshot};
use crate::commands::snapshot::{render, window_for};
use crate::failure::Failure;
use crate::{custody, deployment};

/// Cursor home, and clear to the end of the screen: repainting without a flicker.
const HOME: &str = "\x1b[H\x1b[J";

pub(crate) async fn run(command: Snapshot, common: &Common) -> Result<(), Failure> {
    let mut plan =
        deployment::plan(&command.target, common, command.sources.as_deref(), ScanPlan::default()).await?;
    let window = window_for(command.watch_for).max(Window::TenSeconds);
    plan.custody = custody::for_sources(&plan, common).await?;
    let session = Session::start(plan);
    let first = deployment::first_data(&session, common.timeout).await;
    if let Err(failure) = first {
        session.stop().await;
        return Err(failure);
    }
    custody::sample_slow_log(&session, common, command.yes).await;
    let mut ticks = session.ticks();
    let terminal = std::io::stdout().is_terminal();
    let ended = loop {
        let figures = session.snapshot(window);
        let connection = session.connection(&figures.sources);
        let text = if common.json {
            serde_json::to_string(&*figures)? + "\n"
        } else {
            let home = if terminal { HOME } else { "" };
            format!(
                "{home}{:?} over {} s. {}\n{}",
                connection.state,
                window.seconds(),
                connection.detail,
                render(&figures)
            )
        };
        let mut output = std::io::stdout().lock();
        // A reader that went away (`| head`) is a normal end.
        if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
            break Ok(());
        }
        drop(output);
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => break interrupted.map_err(Failure::from),
            changed = ticks.changed() => if changed.is_err() { break Ok(()) },
        }
    };
    session.stop().await;
    ended
}
