//! Which file goes where: the folders that freedesktop.org and Debian agree on.

use std::path::{Path, PathBuf};

use crate::workspace::path;

/// Both programs, in `/usr/bin`: the window finds the command beside itself and runs the demo with it.
pub(crate) const PROGRAMS: [&str; 2] = ["cachescope-desktop", "cachescope"];

/// Icons by the folder of the hicolor theme (Icon Theme Specification).
const ICONS: [(&str, &str); 5] = [
    ("32x32", "32x32.png"),
    ("128x128", "128x128.png"),
    ("256x256", "128x128@2x.png"),
    ("512x512", "icon.png"),
    ("scalable", "cachescope.svg"),
];

/// A file of the package.
pub(crate) struct Entry {
    /// Where it is now.
    pub(crate) from: PathBuf,
    /// Where it is installed, without the leading slash.
    pub(crate) to: String,
    /// Whether it is a program.
    pub(crate) executable: bool,
    /// Whether Debian wants it compressed (Debian Policy, section 12.7).
    pub(crate) compressed: bool,
}

/// Everything but what `debian` writes itself; the programs come from `built`.
pub(crate) fn entries(built: &Path) -> Vec<Entry> {
    let plain = |from: PathBuf, to: String| Entry { from, to, executable: false, compressed: false };
    let programs =
        PROGRAMS.map(|name| Entry { executable: true, ..plain(built.join(name), format!("usr/bin/{name}")) });
    let icons = ICONS.map(|(folder, file)| {
        let (_, extension) = file.rsplit_once('.').unwrap_or_default();
        let to = format!("usr/share/icons/hicolor/{folder}/apps/cachescope.{extension}");
        plain(path("src-tauri/icons").join(file), to)
    });
    let mut entries = Vec::from(programs);
    entries.extend(icons);
    entries.push(plain(
        path("src-tauri/linux/cachescope.desktop"),
        "usr/share/applications/cachescope.desktop".to_owned(),
    ));
    entries.push(plain(path("src-tauri/linux/copyright"), "usr/share/doc/cachescope/copyright".to_owned()));
    entries.push(Entry {
        compressed: true,
        ..plain(path("CHANGELOG.md"), "usr/share/doc/cachescope/changelog.gz".to_owned())
    });
    entries
}

/// What has to be in a package: each path, and whether it is a program.
pub(crate) fn expected() -> Vec<(String, bool)> {
    entries(Path::new("")).into_iter().map(|entry| (entry.to, entry.executable)).collect()
}
