//! The page lives in a process of the webview's own. Where that ends, because it crashed or the system took its memory,
//! the window would stay blank: the page is loaded again. What the core watches and does goes on meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tauri::WebviewWindow;

/// One that ends again within this time is loaded later each time: a page that ends its process must not take the machine.
const SETTLED_AFTER: Duration = Duration::from_secs(60);
/// The wait before the second time; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// When a page was loaded again, and what it waited for.
#[derive(Debug, Default)]
struct Attempts {
    last: Option<Instant>,
    wait: Duration,
}

impl Attempts {
    /// How long to wait before the page is loaded again.
    fn next(&mut self, now: Instant) -> Duration {
        let again = self.last.is_some_and(|last| now.duration_since(last) < self.wait + SETTLED_AFTER);
        self.wait = if again { (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT) } else { Duration::ZERO };
        self.last = Some(now);
        self.wait
    }
}

/// Loads the page of a window again whenever its process ends.
pub(super) fn revive(window: &WebviewWindow) -> tauri::Result<()> {
    let attempts = Arc::new(Mutex::new(Attempts::default()));
    let shown = window.clone();
    on_end(window, move |reason| {
        let wait = attempts.lock().next(Instant::now());
        tracing::warn!("the page's process ended ({reason}); the page is loaded again");
        let window = shown.clone();
        tauri::async_runtime::spawn(async move {
            tokio::time::sleep(wait).await;
            if let Err(error) = window.reload() {
                tracing::warn!("the page can't be loaded again: {error}");
            }
        });
    })
}

/// WebKitGTK tells it by a signal, which Tauri hands on for macOS alone.
#[cfg(target_os = "linux")]
fn on_end(window: &WebviewWindow, told: impl Fn(&str) + Send + 'static) -> tauri::Result<()> {
    use webkit2gtk::WebViewExt as _;
    window.with_webview(move |webview| {
        webview.inner().connect_web_process_terminated(move |_, reason| told(&format!("{reason:?}")));
    })
}

/// Elsewhere nothing is done yet, and nothing was tried.
#[cfg(not(target_os = "linux"))]
fn on_end(_: &WebviewWindow, _: impl Fn(&str) + Send + 'static) -> tauri::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_nothing_is_waited_for_and_longer_each_time_it_ends_soon_again() {
        let mut attempts = Attempts::default();
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..9 {
            let wait = attempts.next(now);
            waits.push(wait.as_secs());
            now += wait + Duration::from_secs(1);
        }
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        now += SETTLED_AFTER * 2;
        assert_eq!(attempts.next(now), Duration::ZERO, "it has been well for a while");
    }
}
