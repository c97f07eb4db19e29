//! The keyboard of somebody who has no pointer: real key presses, which go to whatever has the focus.
//!
//! [`Window::press_on`] gives the focus by script; nothing here does.

use anyhow::{Context, Result, bail};
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;

use crate::window::Window;

/// More than any screen has controls: whoever presses Tab as often has been around.
const AROUND: usize = 150;

/// Where the focus is, in words for whoever reads a failure.
const FOCUS: &str = "const at = document.activeElement; \
                     return at === null ? 'nothing' : at.outerHTML.slice(0, 160)";

impl Window {
    /// Holds keys down one after the other and lets them go in reverse, as for a shortcut.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn chord(&self, keys: &[char]) -> Result<()> {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in keys.iter().copied() {
            actions = actions.then(KeyAction::Down { value });
        }
        for value in keys.iter().rev().copied() {
            actions = actions.then(KeyAction::Up { value });
        }
        self.perform(actions).await
    }

    /// Presses one key.
    ///
    /// # Errors
    /// As [`Self::chord`].
    pub async fn key(&self, key: Key) -> Result<()> {
        self.chord(&[key.into()]).await
    }

    /// Presses Control with a key.
    ///
    /// # Errors
    /// As [`Self::chord`].
    pub async fn control(&self, key: char) -> Result<()> {
        self.chord(&[Key::Control.into(), key]).await
    }

    /// Types text, a key press a letter.
    ///
    /// # Errors
    /// As [`Self::chord`].
    pub async fn type_text(&self, text: &str) -> Result<()> {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in text.chars() {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.perform(actions).await
    }

    /// Waits until what `selector` finds has the focus, without a key.
    ///
    /// # Errors
    /// When it never has.
    pub async fn wait_for_focus(&self, selector: &str) -> Result<()> {
        self.until(&format!("{selector} has the focus"), async || {
            Ok(self.has_focus(selector).await?.then_some(()))
        })
        .await
    }

    /// Presses Tab until what `selector` finds has the focus, once it is there.
    ///
    /// # Errors
    /// When Tab does not lead there.
    pub async fn tab_to(&self, selector: &str) -> Result<()> {
        self.walk_to(selector, &[Key::Tab.into()]).await
    }

    /// The same backwards.
    ///
    /// # Errors
    /// As [`Self::tab_to`].
    pub async fn tab_back_to(&self, selector: &str) -> Result<()> {
        self.walk_to(selector, &[Key::Shift.into(), Key::Tab.into()]).await
    }

    async fn walk_to(&self, selector: &str, step: &[char]) -> Result<()> {
        self.wait_for(selector).await?;
        let mut passed = Vec::new();
        for _ in 0..AROUND {
            if self.has_focus(selector).await? {
                return Ok(());
            }
            self.chord(step).await?;
            passed.push(self.focus().await?);
        }
        self.screenshot("failed-focus").await.context("the picture of a failure")?;
        bail!("{selector} can't be reached by Tab; these were: {passed:#?}")
    }

    async fn has_focus(&self, selector: &str) -> Result<bool> {
        let script = "return document.activeElement?.matches(arguments[0]) ?? false";
        Ok(self.ask(script, &[selector]).await? == true)
    }

    async fn focus(&self) -> Result<String> {
        Ok(self.ask(FOCUS, &[]).await?.as_str().unwrap_or_default().to_owned())
    }
}
