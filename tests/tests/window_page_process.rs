//! The page's process is killed, as the system does where memory runs out.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use cachescope_tests::waiting::wait_for;
use cachescope_tests::{linux, programs, window};

/// The program without a driver, which would end its session with the page.
struct Program {
    child: Child,
    /// How often a page has asked for what it shows first: once each time it is loaded.
    looks: Arc<AtomicUsize>,
    _state: tempfile::TempDir,
}

impl Program {
    fn start() -> Result<Self> {
        let state = tempfile::tempdir()?;
        let mut child = Command::new(programs::desktop()?)
            .envs(window::environment(state.path(), true))
            .env_remove("TAURI_WEBVIEW_AUTOMATION")
            .env("CACHESCOPE_LOG", "cachescope_desktop=debug")
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
        Ok(Self { child, looks, _state: state })
    }

    fn page(&self) -> Result<Option<u32>> {
        let processes = linux::memory_of_tree(self.child.id())?;
        Ok(processes.iter().find(|process| process.name == "WebKitWebProces").map(|process| process.id))
    }

    /// Waits until the page has asked for what it shows more than so many times; the process it lives in.
    async fn looks_again(&self, before: usize) -> Result<u32> {
        wait_for("the page asks for what it shows", async || {
            Ok((self.looks.load(Ordering::SeqCst) > before).then_some(()))
        })
        .await?;
        self.page()?.context("the page has a process")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[tokio::test]
async fn a_page_whose_process_is_killed_is_loaded_again_and_asks_for_its_figures() -> Result<()> {
    let program = Program::start()?;
    let mut page = program.looks_again(0).await?;
    for _ in 0..2 {
        let before = program.looks.load(Ordering::SeqCst);
        assert!(Command::new("kill").args(["-9", &page.to_string()]).status()?.success());
        let next = program.looks_again(before).await?;
        assert_ne!(next, page, "a new process");
        page = next;
    }
    Ok(())
}
