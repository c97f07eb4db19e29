//! How everything stands, in the tray: a picture whose shape tells the worst state, and the number of alerts.

use cachescope_app::Standing;
use cachescope_model::strategy::Severity;
use cachescope_notifications::picture::{Look, SIZE, picture};
use parking_lot::Mutex;
use tauri::image::Image;
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Manager, Wry};

use crate::windows;

const STANDING: &str = "standing";
const SHOW: &str = "show";
const QUIT: &str = "quit";

/// The tray and the line of its menu that says in words what the picture shows.
struct Tray {
    icon: TrayIcon,
    line: MenuItem<Wry>,
    shown: Mutex<Option<Standing>>,
}

/// Puts the picture up, where there is a tray to put it in. Without one the program works all the same.
pub(crate) fn open(shell: &AppHandle) {
    if !library::is_there() {
        tracing::info!("no tray: neither libayatana-appindicator3 nor libappindicator3 is installed");
        return;
    }
    match build(shell) {
        Ok(tray) => {
            shell.manage(tray);
        }
        Err(error) => tracing::warn!("no tray: {error}"),
    }
}

fn build(shell: &AppHandle) -> tauri::Result<Tray> {
    let line = MenuItem::with_id(shell, STANDING, Standing::default().sentence(), false, None::<&str>)?;
    let show = MenuItem::with_id(shell, SHOW, "Show Cachescope", true, None::<&str>)?;
    let quit = MenuItem::with_id(shell, QUIT, "Quit", true, None::<&str>)?;
    let separator = PredefinedMenuItem::separator(shell)?;
    let menu = Menu::with_items(shell, &[&line, &separator, &show, &quit])?;
    let icon = TrayIconBuilder::with_id("standing")
        .icon(image(Look::Calm))
        .tooltip("Cachescope")
        .menu(&menu)
        .on_menu_event(|shell, event| match event.id().as_ref() {
            SHOW => windows::bring_last_to_front(shell),
            QUIT => shell.exit(0),
            _ => {}
        })
        .build(shell)?;
    Ok(Tray { icon, line, shown: Mutex::default() })
}

/// Whether there is a tray to stay in.
pub(crate) fn is_there(shell: &AppHandle) -> bool {
    shell.try_state::<Tray>().is_some()
}

/// Shows how everything stands. Returns at once.
pub(crate) fn show(shell: &AppHandle, standing: Standing) {
    let handle = shell.clone();
    let drawn = shell.run_on_main_thread(move || {
        let Some(tray) = handle.try_state::<Tray>() else { return };
        if tray.shown.lock().replace(standing) == Some(standing) {
            return;
        }
        if let Err(error) = draw(&tray, standing) {
            tracing::warn!("the tray does not show how things stand: {error}");
        }
    });
    if let Err(error) = drawn {
        tracing::debug!("the tray is gone: {error}");
    }
}

fn draw(tray: &Tray, standing: Standing) -> tauri::Result<()> {
    let sentence = standing.sentence();
    tray.icon.set_icon(Some(image(look(standing))))?;
    // The number stands beside the picture where the desktop has room for it.
    let number = (standing.firing > 0).then(|| standing.firing.to_string());
    tray.icon.set_title(number.as_deref())?;
    tray.icon.set_tooltip(Some(format!("Cachescope: {sentence}")))?;
    tray.line.set_text(sentence)
}

const fn look(standing: Standing) -> Look {
    match standing.worst {
        None => Look::Calm,
        Some(Severity::Info) => Look::Info,
        Some(Severity::Warning) => Look::Warning,
        Some(Severity::Critical) => Look::Critical,
    }
}

fn image(look: Look) -> Image<'static> {
    Image::new_owned(picture(look), SIZE, SIZE)
}

/// The tray of Linux desktops is a library that is loaded at run time, and the loading panics where it is missing.
#[cfg(target_os = "linux")]
mod library {
    use std::path::{Path, PathBuf};

    /// What is loaded, in this order.
    const NAMES: [&str; 4] = [
        "libayatana-appindicator3.so.1",
        "libappindicator3.so.1",
        "libayatana-appindicator3.so",
        "libappindicator3.so",
    ];

    pub(super) fn is_there() -> bool {
        directories().iter().any(|directory| NAMES.iter().any(|name| directory.join(name).exists()))
    }

    /// Where the loader looks, as far as it is the same everywhere.
    fn directories() -> Vec<PathBuf> {
        let named = std::env::var_os("LD_LIBRARY_PATH");
        let mut directories: Vec<PathBuf> =
            named.map(|paths| std::env::split_paths(&paths).collect()).unwrap_or_default();
        for root in ["/lib", "/usr/lib", "/usr/local/lib", "/lib64", "/usr/lib64"] {
            directories.push(PathBuf::from(root));
            directories.extend(multiarch(Path::new(root)));
        }
        directories
    }

    /// Debian's folders by architecture, such as `x86_64-linux-gnu`.
    fn multiarch(root: &Path) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
        let folders = entries.flatten().map(|entry| entry.path());
        folders.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")).collect()
    }
}

#[cfg(not(target_os = "linux"))]
mod library {
    pub(super) const fn is_there() -> bool {
        true
    }
}
