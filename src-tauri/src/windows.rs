//! The windows: opening them, leading one of them to a place, and where their page may not go.
//!
//! | file | what |
//! |---|---|
//! | `windows/page_process` | a page whose process ended is loaded again |
//! | `windows/placed` | where each stood, and that it comes back onto a screen that is there |

mod page_process;
mod placed;

use std::path::PathBuf;

use cachescope_app::App;
use cachescope_app::places::MAIN_WINDOW;
use cachescope_app::wire::{Place, WireError, WireErrorCode};
use parking_lot::Mutex;
use tauri::utils::config::Color;
use tauri::webview::NewWindowResponse;
use tauri::{
    AppHandle, Manager, Theme, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, Window, WindowEvent,
};

use crate::ipc::Watches;
use placed::Placed;

/// Every window there may be: the capabilities name just these.
const NAMES: [&str; 5] = [MAIN_WINDOW, "beside-1", "beside-2", "beside-3", "beside-4"];

/// What a window's title says where it is about everything.
const TITLE: &str = "Cachescope";

/// Characters of a deployment's name in a title.
const MOST_OF_A_NAME: usize = 80;

/// Smallest size, in CSS pixels: the page is made for it.
const LEAST: (f64, f64) = (1024.0, 640.0);

/// The page's background in each theme (`--bg` in ui/src/app.css), so that nothing flashes before it is painted.
const DARK: Color = Color(0x0e, 0x11, 0x16, 0xff);
const LIGHT: Color = Color(0xf5, 0xf7, 0xfa, 0xff);

/// What is known of the windows.
pub(crate) struct Windows {
    /// What the pages remember, such as the chosen theme, goes there.
    webview_data: PathBuf,
    placed: Placed,
    /// The name of the one that had the focus last.
    used_last: Mutex<String>,
}

impl Windows {
    /// What was kept in the state directory.
    pub(crate) fn new(state_directory: PathBuf) -> Self {
        Self {
            webview_data: state_directory.join("webview"),
            placed: Placed::read(&state_directory),
            used_last: Mutex::new(MAIN_WINDOW.to_owned()),
        }
    }

    /// Keeps where the windows stand.
    pub(crate) fn keep(&self) {
        self.placed.keep();
    }
}

/// Opens the main window.
pub(crate) fn open_main(shell: &AppHandle) -> tauri::Result<()> {
    open(shell, MAIN_WINDOW)
}

/// Opens one more window on a place.
///
/// # Errors
/// When every window there may be is open, or the system refuses.
pub(crate) fn open_beside(shell: &AppHandle, app: &App, place: Place) -> Result<(), WireError> {
    let Some(name) = NAMES.into_iter().find(|name| shell.get_webview_window(name).is_none()) else {
        return Err(WireError::new(WireErrorCode::Refused, "five windows are open, and more there can't be")
            .with_remedy("close one of them"));
    };
    app.open(name, place);
    open(shell, name)
        .map_err(|error| WireError::new(WireErrorCode::Internal, format!("no window was opened: {error}")))
}

fn open(shell: &AppHandle, name: &str) -> tauri::Result<()> {
    let windows = shell.state::<Windows>();
    let window = WebviewWindowBuilder::new(shell, name, WebviewUrl::App("index.html".into()))
        .title(TITLE)
        .inner_size(1440.0, 900.0)
        .min_inner_size(LEAST.0, LEAST.1)
        // Shown below, once it has its place and the theme's colour.
        .visible(false)
        .data_directory(windows.webview_data.clone())
        .on_navigation(is_own_page)
        .on_new_window(|url, _| {
            tracing::warn!("the page tried to open {url}; it may not");
            NewWindowResponse::Deny
        })
        .build()?;
    page_process::revive(&window)?;
    windows.placed.put_back(&window);
    let dark = matches!(window.theme(), Ok(Theme::Dark));
    window.set_background_color(Some(if dark { DARK } else { LIGHT }))?;
    window.show()?;
    window.set_focus()
}

/// Leads a window to a place and shows it over others: the one that looks at its deployment already, or else the one
/// that was used last.
pub(crate) fn lead_to(shell: &AppHandle, app: &App, place: Place) {
    let deployment = match &place {
        Place::Deployment { deployment, .. } => Some(deployment),
        Place::Alert { alert } => Some(&alert.deployment),
        Place::Overview | Place::Missing { .. } => None,
    };
    let looking = deployment.and_then(|deployment| shell.state::<Watches>().at(deployment));
    let name = looking.unwrap_or_else(|| used_last(shell));
    app.open(&name, place);
    bring_to_front(shell, &name);
}

/// Shows the window that was used last over others.
pub(crate) fn bring_last_to_front(shell: &AppHandle) {
    bring_to_front(shell, &used_last(shell));
}

/// The name of the window that was used last and is still there; where none is, the main one's.
fn used_last(shell: &AppHandle) -> String {
    let last = shell.state::<Windows>().used_last.lock().clone();
    let open = |name: &str| shell.get_webview_window(name).is_some();
    if open(&last) {
        return last;
    }
    NAMES.into_iter().find(|name| open(name)).unwrap_or(MAIN_WINDOW).to_owned()
}

/// Shows a window over others, whatever it was; one that was closed is opened anew.
fn bring_to_front(shell: &AppHandle, name: &str) {
    let shown = match shell.get_webview_window(name) {
        Some(window) => raise(&window),
        None => open(shell, name),
    };
    if let Err(error) = shown {
        tracing::warn!("the window could not be brought to the front: {error}");
    }
}

fn raise(window: &WebviewWindow) -> tauri::Result<()> {
    window.show()?;
    window.unminimize()?;
    window.set_focus()
}

/// Names the deployment that a window looks at in its title, so that windows can be told apart where only titles
/// are shown.
pub(crate) fn title(window: &Window, deployment: Option<&str>) {
    let title = deployment.map_or_else(|| TITLE.to_owned(), |name| format!("{} – {TITLE}", shortened(name)));
    if let Err(error) = window.set_title(&title) {
        tracing::debug!("the window keeps its title: {error}");
    }
}

/// A name as it fits into a title.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(MOST_OF_A_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// Notes where a window stands and which is used, and lets go of what belonged to one that is gone.
pub(crate) fn heed(window: &Window, event: &WindowEvent) {
    let windows = window.state::<Windows>();
    match event {
        WindowEvent::Focused(true) => window.label().clone_into(&mut windows.used_last.lock()),
        WindowEvent::Resized(_) | WindowEvent::Moved(_) => windows.placed.note(window),
        WindowEvent::CloseRequested { .. } => windows.placed.keep(),
        // A closed window must not be sent frames for the rest of the program's life.
        WindowEvent::Destroyed => window.state::<Watches>().end(window.label()),
        _ => {}
    }
}

/// Whether the webview may load this address: nothing but the page that is built into the program.
fn is_own_page(url: &Url) -> bool {
    let own = match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        // How WebView2 spells the same.
        "http" | "https" => url.host_str() == Some("tauri.localhost") && url.port().is_none(),
        _ => false,
    };
    if !own {
        tracing::warn!("the page tried to go to {url}; it may not");
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_stays_on_its_own_page() {
        for (address, allowed) in [
            ("tauri://localhost/", true),
            ("tauri://localhost/index.html#/deployment/1", true),
            ("http://tauri.localhost/index.html", true),
            ("https://tauri.localhost/", true),
            ("http://tauri.localhost:8080/", false),
            ("http://tauri.localhost.example.com/", false),
            ("https://example.com/tauri.localhost", false),
            ("tauri://elsewhere/", false),
            ("file:///etc/passwd", false),
            ("data:text/html,hello", false),
            ("javascript:alert(1)", false),
            ("about:blank", false),
        ] {
            let url = Url::parse(address).expect(address);
            assert_eq!(is_own_page(&url), allowed, "{address}");
        }
    }

    #[test]
    fn the_capabilities_name_just_the_windows_there_may_be() {
        let file = include_str!("../capabilities/page.json");
        let capability: serde_json::Value = serde_json::from_str(file).expect("the capability is JSON");
        assert_eq!(capability["windows"], serde_json::json!(NAMES));
        assert_eq!(capability["permissions"], serde_json::json!(["allow-request", "allow-watch"]));
    }
}
