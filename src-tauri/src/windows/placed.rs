//! Where each window stood, and that it comes back onto a screen that is there.
//!
//! On Wayland a program can't know or choose a window's position: there the size and whether it was maximised come
//! back, and the desktop chooses the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cachescope_app::host::write_in_state_directory;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tauri::{PhysicalPosition, PhysicalSize, WebviewWindow, Window};

const FILE: &str = "windows.json";

/// Pixels of a window that must lie on a screen, so that one can take hold of it.
const HOLD: i64 = 100;

/// Where windows stand, by their names; in memory until it is kept.
pub(super) struct Placed {
    directory: PathBuf,
    all: Mutex<BTreeMap<String, Rectangle>>,
}

/// In the screen's own pixels, as the system counts them over all screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rectangle {
    x: i32,
    y: i32,
    width: u32,
    height: u32,
    #[serde(default)]
    maximised: bool,
}

impl Placed {
    /// What was kept. What can't be read is as good as nothing: the windows stand where the system puts them.
    pub(super) fn read(directory: &Path) -> Self {
        let text = std::fs::read_to_string(directory.join(FILE)).unwrap_or_default();
        let all = serde_json::from_str(&text).unwrap_or_default();
        Self { directory: directory.to_path_buf(), all: Mutex::new(all) }
    }

    /// Notes where a window stands now. While it is maximised, what it goes back to stays as it was.
    pub(super) fn note(&self, window: &Window) {
        let (Ok(position), Ok(size)) = (window.outer_position(), size_of(window)) else { return };
        if window.is_minimized().unwrap_or(false) || size.width == 0 || size.height == 0 {
            return;
        }
        let maximised = window.is_maximized().unwrap_or(false);
        let mut all = self.all.lock();
        match all.get_mut(window.label()) {
            Some(known) if maximised => known.maximised = true,
            _ => {
                let PhysicalSize { width, height } = size;
                let rectangle = Rectangle { x: position.x, y: position.y, width, height, maximised };
                all.insert(window.label().to_owned(), rectangle);
            }
        }
    }

    /// Writes where the windows stand.
    pub(super) fn keep(&self) {
        let text = serde_json::to_string(&*self.all.lock()).unwrap_or_default();
        if let Err(error) = write_in_state_directory(&self.directory, FILE, text.as_bytes()) {
            tracing::warn!("where the windows stand is not kept: {error}");
        }
    }

    /// Puts a window that is not shown yet where it stood before.
    pub(super) fn put_back(&self, window: &WebviewWindow) {
        let Some(kept) = self.all.lock().get(window.label()).copied() else { return };
        let screens: Vec<Rectangle> = window
            .available_monitors()
            .unwrap_or_default()
            .iter()
            .map(|screen| Rectangle {
                x: screen.position().x,
                y: screen.position().y,
                width: screen.size().width,
                height: screen.size().height,
                maximised: false,
            })
            .collect();
        let (fitted, there) = fitted(kept, &screens);
        let sized = window.set_size(PhysicalSize::new(fitted.width, fitted.height));
        let moved =
            if there { window.set_position(PhysicalPosition::new(fitted.x, fitted.y)) } else { Ok(()) };
        let maximised = if fitted.maximised { window.maximize() } else { Ok(()) };
        if let Err(error) = sized.and(moved).and(maximised) {
            tracing::debug!("the window stands where the system puts it: {error}");
        }
    }
}

/// The size that a window is to be given to be as it is.
///
/// GTK draws the title and the shadow on Wayland, and Tauri counts them: a window would come back larger each time.
#[cfg(target_os = "linux")]
fn size_of(window: &Window) -> tauri::Result<PhysicalSize<u32>> {
    use gtk::prelude::GtkWindowExt as _;
    let (width, height) = window.gtk_window()?.size();
    Ok(tauri::LogicalSize::new(width, height).to_physical(window.scale_factor()?))
}

#[cfg(not(target_os = "linux"))]
fn size_of(window: &Window) -> tauri::Result<PhysicalSize<u32>> {
    window.inner_size()
}

/// A window as it fits onto the screen that it lies on most, and whether its position is good: what lies beside every
/// screen, or has its upper edge out of reach, is left to the system.
fn fitted(kept: Rectangle, screens: &[Rectangle]) -> (Rectangle, bool) {
    let overlap = |screen: &&Rectangle| {
        let (width, height) = common(&kept, screen);
        width.max(0) * height.max(0)
    };
    let Some(screen) = screens.iter().max_by_key(overlap) else { return (kept, false) };
    let (width, height) = common(&kept, screen);
    let upper_edge_is_in_reach = kept.y >= screen.y;
    let there = width >= HOLD && height >= HOLD && upper_edge_is_in_reach;
    let size = |kept: u32, screen: u32| kept.min(screen);
    let fitted =
        Rectangle { width: size(kept.width, screen.width), height: size(kept.height, screen.height), ..kept };
    (fitted, there)
}

/// Width and height of what two rectangles have in common; not positive where they have nothing.
fn common(one: &Rectangle, other: &Rectangle) -> (i64, i64) {
    let span = |from: i32, length: u32| (i64::from(from), i64::from(from) + i64::from(length));
    let overlap = |(a, b): (i64, i64), (c, d): (i64, i64)| b.min(d) - a.max(c);
    (
        overlap(span(one.x, one.width), span(other.x, other.width)),
        overlap(span(one.y, one.height), span(other.y, other.height)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(x: i32, y: i32, width: u32, height: u32) -> Rectangle {
        Rectangle { x, y, width, height, maximised: false }
    }

    const LAPTOP: Rectangle = at(0, 0, 1920, 1080);
    const BESIDE: Rectangle = at(1920, -200, 2560, 1440);

    #[test]
    fn a_window_comes_back_to_its_screen_and_one_whose_screen_is_gone_to_another() {
        for (kept, screens, expected) in [
            (at(100, 50, 1440, 900), vec![LAPTOP], (at(100, 50, 1440, 900), true)),
            (at(2000, -100, 1440, 900), vec![LAPTOP, BESIDE], (at(2000, -100, 1440, 900), true)),
            // The screen beside was unplugged.
            (at(2000, -100, 1440, 900), vec![LAPTOP], (at(2000, -100, 1440, 900), false)),
            // It was larger than what is left.
            (at(1930, 0, 2500, 1300), vec![LAPTOP], (at(1930, 0, 1920, 1080), false)),
            // A strip of it lies on the screen, too narrow to take hold of.
            (at(1850, 50, 1440, 900), vec![LAPTOP], (at(1850, 50, 1440, 900), false)),
            // The upper edge is above the screen: the title could not be reached.
            (at(100, -40, 1440, 900), vec![LAPTOP], (at(100, -40, 1440, 900), false)),
            (at(100, 50, 1440, 900), vec![], (at(100, 50, 1440, 900), false)),
        ] {
            assert_eq!(fitted(kept, &screens), expected, "{kept:?} on {screens:?}");
        }
    }

    #[test]
    fn what_was_kept_reads_back_and_nonsense_is_as_good_as_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let placed = Placed::read(directory.path());
        let window = Rectangle { maximised: true, ..at(1, -2, 3, 4) };
        placed.all.lock().insert("main".to_owned(), window);
        placed.keep();
        assert_eq!(Placed::read(directory.path()).all.lock().get("main"), Some(&window));
        for nonsense in ["", "[]", "{\"main\": 1}", "{\"main\": {\"x\": 1e99}}"] {
            std::fs::write(directory.path().join(FILE), nonsense).expect("it is writable");
            assert!(Placed::read(directory.path()).all.lock().is_empty(), "{nonsense}");
        }
    }
}
