//! Notifications with a thread each, because waiting for a click blocks.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use notify_rust::Timeout;
#[cfg(target_os = "linux")]
use notify_rust::{Hint, Urgency};
use parking_lot::Mutex;

/// Notifications whose click is waited for. A daemon that never closes them would hold a thread each; beyond this
/// they are shown all the same, and a click on them does nothing.
const MOST_AWAITED: usize = 16;

/// How long the daemon may take to show one.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// The action of clicking on a notification itself (Desktop Notifications Specification, "default").
const CLICK: &str = "default";

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// One line.
    pub title: String,
    /// A few sentences. Text, not markup.
    pub body: String,
    /// Stays until somebody has seen it, and is shown over others.
    pub urgent: bool,
    /// Whether the daemon may play its sound.
    pub sound: bool,
}

/// Shows notifications.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    awaited: Arc<Mutex<usize>>,
}

impl Notifier {
    /// A notifier; nothing is contacted before the first notification.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows a notification and waits until the daemon has it: call it where blocking for up to five seconds is
    /// allowed. `clicked` is called at most once, on a thread of its own.
    ///
    /// # Errors
    /// Why it is not shown, in one sentence: there is no daemon, or it does not answer.
    pub fn show(
        &self,
        notification: Notification,
        clicked: impl FnOnce() + Send + 'static,
    ) -> Result<(), String> {
        let (shown, answered) = mpsc::sync_channel(1);
        let awaited = Arc::clone(&self.awaited);
        let thread = thread::Builder::new().name("notification".to_owned());
        let spawned = thread.spawn(move || {
            let handle = match built(&notification).show() {
                Ok(handle) => handle,
                Err(error) => {
                    report(&shown, Err(format!("no notification daemon takes it: {error}")));
                    return;
                }
            };
            report(&shown, Ok(()));
            let Some(_place) = Place::take(&awaited) else { return };
            wait_for_click(handle, clicked);
        });
        spawned.map_err(|error| format!("no thread for a notification: {error}"))?;
        match answered.recv_timeout(SHOWN_WITHIN) {
            Ok(shown) => shown,
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("the notification daemon does not answer within {} s", SHOWN_WITHIN.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err("the notification broke off".to_owned()),
        }
    }
}

#[cfg(target_os = "linux")]
fn wait_for_click(handle: notify_rust::NotificationHandle, clicked: impl FnOnce()) {
    handle.wait_for_action(|action| {
        if action == CLICK {
            clicked();
        }
    });
}

/// Elsewhere the library tells of no clicks.
#[cfg(not(target_os = "linux"))]
fn wait_for_click<H>(handle: H, clicked: impl FnOnce()) {
    drop((handle, clicked));
}

fn report(to: &mpsc::SyncSender<Result<(), String>>, what: Result<(), String>) {
    // Nobody waits any more where it took too long.
    drop(to.try_send(what));
}

fn built(notification: &Notification) -> notify_rust::Notification {
    let mut built = notify_rust::Notification::new();
    built
        .appname("Cachescope")
        .summary(&notification.title)
        .body(&escaped(&notification.body))
        .icon("cachescope")
        .action(CLICK, "Show")
        .timeout(Timeout::Default);
    #[cfg(target_os = "linux")]
    built
        .urgency(if notification.urgent { Urgency::Critical } else { Urgency::Normal })
        .hint(Hint::SuppressSound(!notification.sound));
    if notification.sound {
        built.sound_name("dialog-warning");
    }
    built
}

/// Daemons may take the body for markup: key names must not become tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A place among those that are waited for.
struct Place(Arc<Mutex<usize>>);

impl Place {
    fn take(awaited: &Arc<Mutex<usize>>) -> Option<Self> {
        let mut count = awaited.lock();
        if *count >= MOST_AWAITED {
            tracing::debug!("a click on this notification is not waited for: too many are open");
            return None;
        }
        *count += 1;
        Some(Self(Arc::clone(awaited)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_becomes_markup() {
        assert_eq!(escaped("<b>session:{id}</b> & co"), "&lt;b&gt;session:{id}&lt;/b&gt; &amp; co");
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let awaited = Arc::new(Mutex::new(0));
        let places: Vec<_> = (0..MOST_AWAITED).map(|_| Place::take(&awaited)).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(Place::take(&awaited).is_none());
        drop(places);
        assert!(Place::take(&awaited).is_some());
    }
}
