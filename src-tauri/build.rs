//! Declares the commands of the page: without this list every window could call every command.

fn main() {
    let commands = tauri_build::AppManifest::new().commands(&["request", "watch"]);
    tauri_build::try_build(tauri_build::Attributes::new().app_manifest(commands))
        .expect("tauri.conf.json, capabilities/ and icons/ are part of the source");
}
