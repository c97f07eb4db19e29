//! The window: its size, its colours, and where its page may not go.

use std::path::PathBuf;

use tauri::utils::config::Color;
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager, Theme, Url, WebviewUrl, WebviewWindowBuilder};

/// The one window that the capabilities name.
const MAIN: &str = "main";

/// The page's background in each theme (`--bg` in ui/src/app.css), so that nothing flashes before it is painted.
const DARK: Color = Color(0x0e, 0x11, 0x16, 0xff);
const LIGHT: Color = Color(0xf5, 0xf7, 0xfa, 0xff);

/// Opens the main window. What its page remembers, such as the chosen theme, goes to `webview_data`.
pub(crate) fn open_main(shell: &AppHandle, webview_data: PathBuf) -> tauri::Result<()> {
    let window = WebviewWindowBuilder::new(shell, MAIN, WebviewUrl::App("index.html".into()))
        .title("Cachescope")
        .inner_size(1440.0, 900.0)
        .min_inner_size(1024.0, 640.0)
        // Shown below, once it has the theme's colour.
        .visible(false)
        .data_directory(webview_data)
        .on_navigation(is_own_page)
        .on_new_window(|url, _| {
            tracing::warn!("the page tried to open {url}; it may not");
            NewWindowResponse::Deny
        })
        .build()?;
    let dark = matches!(window.theme(), Ok(Theme::Dark));
    window.set_background_color(Some(if dark { DARK } else { LIGHT }))?;
    window.show()?;
    window.set_focus()
}

/// Shows the main window over others, whatever it was.
pub(crate) fn bring_to_front(shell: &AppHandle) {
    let Some(window) = shell.get_webview_window(MAIN) else { return };
    let shown = window.show().and_then(|()| window.unminimize()).and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!("the window could not be brought to the front: {error}");
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
}
