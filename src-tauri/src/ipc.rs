//! The two commands of the page. Everything it can say or hear is declared in `cachescope_app::wire`.

use std::collections::HashMap;

use cachescope_app::wire::{Frame, Reply, Request, View, WireError};
use cachescope_app::{App, Watch};
use parking_lot::Mutex;
use tauri::ipc::Channel;
use tauri::{Manager, State, Window, WindowEvent};

/// What each window looks at, by the window's label. A window looks at one thing.
#[derive(Default)]
pub(crate) struct Watches(Mutex<HashMap<String, Watch>>);

/// Asks the app.
#[tauri::command]
pub(crate) async fn request(app: State<'_, App>, request: Request) -> Result<Reply, WireError> {
    app.handle(request).await
}

/// Sends frames of `view` to the calling window until it watches something else or is gone.
#[tauri::command]
pub(crate) async fn watch(
    window: Window,
    app: State<'_, App>,
    watches: State<'_, Watches>,
    view: View,
    frames: Channel<Frame>,
) -> Result<(), WireError> {
    let watch = app.watch(view, move |frame| frames.send(frame).is_ok());
    // What was watched before ends with this.
    watches.0.lock().insert(window.label().to_owned(), watch);
    Ok(())
}

/// A closed window must not be sent frames for the rest of the program's life.
pub(crate) fn end_watch_of_destroyed_window(window: &Window, event: &WindowEvent) {
    if let WindowEvent::Destroyed = event {
        window.state::<Watches>().0.lock().remove(window.label());
    }
}
