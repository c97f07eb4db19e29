//! The page's process is killed, as the system does where memory runs out.
#![cfg(target_os = "linux")]

use std::process::Command;

use anyhow::{Context, Result};
use cachescope_tests::undriven::Undriven;

#[tokio::test]
async fn a_page_whose_process_is_killed_is_loaded_again_and_asks_for_its_figures() -> Result<()> {
    let state = tempfile::tempdir()?;
    let program = Undriven::start(state.path(), &[])?;
    program.looks_again(0).await?;
    for _ in 0..2 {
        let (before, page) = (program.looks(), program.page()?.context("the page has a process")?);
        assert!(Command::new("kill").args(["-9", &page.to_string()]).status()?.success());
        program.looks_again(before).await?;
        assert_ne!(program.page()?, Some(page), "a new process");
    }
    Ok(())
}
