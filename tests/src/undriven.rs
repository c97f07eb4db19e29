//! The desktop program without a driver, which would end it with its last page.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};

use crate::waiting::wait_for;
use crate::{linux, programs, window, x11};

/// The running program. Dropping it ends it.
#[derive(Debug)]
pub struct Undriven {
    child: Child,
    looks: Arc<AtomicUsize>,
}

impl Undriven {
    /// Starts it on this state, with this environment on top of the harness's own.
    ///
    /// # Errors
    /// When it has not been built.
    pub fn start(state: &Path, environment: &[(&str, &str)]) -> Result<Self> {
        let mut child = Command::new(programs::desktop()?)
            .envs(window::environment(state, true))
            .env_remove("TAURI_WEBVIEW_AUTOMATION")
            .env("CACHESCOPE_LOG", "cachescope_desktop=debug")
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = BufReader::new(child.stderr.take().context("it is piped")?);
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                let looks = line.contains("the page looks") && line.contains("Overview");
                counted.fetch_add(usize::from(looks), Ordering::SeqCst);
                eprintln!("{line}");
            }
        });
        Ok(Self { child, looks })
    }

    /// The program's process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How often a page has asked for what it shows first: once each time it is loaded.
    #[must_use]
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    /// The process that the page lives in; `None` where no window is open.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn page(&self) -> Result<Option<u32>> {
        let processes = linux::memory_of_tree(self.id())?;
        Ok(processes.iter().find(|process| process.name == "WebKitWebProces").map(|process| process.id))
    }

    /// Waits until pages have asked for what they show first more than so many times.
    ///
    /// # Errors
    /// When they don't.
    pub async fn looks_again(&self, before: usize) -> Result<()> {
        wait_for("the page asks for what it shows", async || Ok((self.looks() > before).then_some(()))).await
    }

    /// Closes the last window, as a click on its cross does, and waits until its page is gone.
    ///
    /// # Errors
    /// Where the window can't be found, or the program goes with it.
    pub async fn close_window(&mut self) -> Result<()> {
        wait_for("the window takes the wish to be closed", async || {
            Ok(x11::ask_to_close(self.id())?.then_some(()))
        })
        .await?;
        wait_for("the page is gone", async || Ok(self.page()?.is_none().then_some(()))).await?;
        if let Some(status) = self.child.try_wait()? {
            bail!("the program ended with its window: {status}");
        }
        Ok(())
    }
}

impl Drop for Undriven {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
