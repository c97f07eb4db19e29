//! A Tauri window with nothing in it: what the benches compare the memory of the real one with.

use tauri::{Url, WebviewUrl, WebviewWindowBuilder};

fn main() {
    let blank = Url::parse("about:blank").expect("it is an address");
    tauri::Builder::default()
        .setup(move |shell| {
            let mut window = WebviewWindowBuilder::new(shell, "empty", WebviewUrl::External(blank))
                .title("Empty")
                .inner_size(1440.0, 900.0);
            if let Some(state) = std::env::var_os("CACHESCOPE_STATE_DIR") {
                window = window.data_directory(std::path::PathBuf::from(state).join("webview"));
            }
            window.build()?;
            Ok(())
        })
        .run(tauri::generate_context!())
        .expect("a display is there");
}
