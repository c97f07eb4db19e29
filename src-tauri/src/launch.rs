//! What a start of the program asks for: the first one of itself, later ones of the first.

use cachescope_app::App;
use cachescope_app::places::Link;
use cachescope_app::wire::Request;
use tauri::AppHandle;
use tauri::async_runtime::spawn;

use crate::windows;

/// What was asked for on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// To run the demo.
    demo: bool,
    /// To be led where this link leads. It comes from outside and is read by the app alone.
    link: Option<String>,
}

impl Asked {
    /// Reads the words behind the program's name. Of several links the first is followed; what means nothing is
    /// left alone, as desktops may add words of their own.
    pub(crate) fn of<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> Self {
        let mut asked = Self::default();
        for word in words {
            let word = word.as_ref();
            if word == "--demo" {
                asked.demo = true;
            } else if Link::is_meant(word) && asked.link.is_none() {
                asked.link = Some(word.to_owned());
            }
        }
        asked
    }

    /// The same with the demo, for launchers that can't pass arguments.
    pub(crate) fn or_demo(mut self, wanted: bool) -> Self {
        self.demo |= wanted;
        self
    }

    /// Starts the demo while the window opens, and leads the window to where the link leads.
    pub(crate) fn begin(self, shell: &AppHandle, app: &App) {
        if self.demo {
            start_demo(app.clone());
        }
        if let Some(link) = self.link {
            follow(shell.clone(), app.clone(), link);
        }
    }

    /// The same for a later start, whose operator wants to see a window.
    pub(crate) fn begin_again(self, shell: &AppHandle, app: &App) {
        if self.link.is_none() {
            windows::bring_last_to_front(shell);
        }
        self.begin(shell, app);
    }
}

fn follow(shell: AppHandle, app: App, link: String) {
    spawn(async move {
        let place = app.place_of(&link).await;
        windows::lead_to(&shell, &app, place);
    });
}

/// The page hears of it as of any change to the deployments.
fn start_demo(app: App) {
    spawn(async move {
        if let Err(error) = app.handle(Request::StartDemo {}).await {
            tracing::error!("the demo could not be started: {error} {}", error.remedy);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_asks_for_the_demo_or_a_place_and_other_words_mean_nothing() {
        let asked = |words: &[&str]| Asked::of(words);
        assert_eq!(asked(&[]), Asked::default());
        assert_eq!(asked(&["--sm-client-id", "x", "/etc/passwd"]), Asked::default());
        assert!(asked(&["--demo"]).demo);
        let link = asked(&["cachescope://deployment/a", "cachescope://deployment/b"]).link;
        assert_eq!(link.as_deref(), Some("cachescope://deployment/a"));
        // Also a bad one is followed: the app says what is wrong with it.
        assert!(asked(&["cachescope:nonsense"]).link.is_some());
    }
}
