//! The WebDriver program: it starts the desktop program and speaks for the user.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use crate::waiting::wait_for;

/// A running `WebKitWebDriver` and the program it started. Dropping it ends both.
#[derive(Debug)]
pub struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// Starts the driver with `environment`, which the desktop program inherits.
    ///
    /// # Errors
    /// When there is no display or no driver.
    pub fn start(environment: &HashMap<String, String>) -> Result<Self> {
        if std::env::var_os("DISPLAY").is_none() {
            bail!(
                "there is no display for the window: run `cargo xtask test --only window`, which brings one"
            );
        }
        // Freed again and taken by the driver: nobody else asks for ports in between but other tests, which
        // get other ones.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("WebKitWebDriver")
            .args(["--host=127.0.0.1", &format!("--port={port}")])
            .envs(environment)
            // Loading the page must not go through a proxy, nor WebDriver's own requests.
            .env("NO_PROXY", "*")
            .stdin(Stdio::null())
            .spawn()
            .context("WebKitWebDriver could not be started: `cargo xtask setup` installs it")?;
        Ok(Self { child, port })
    }

    /// Opens a session, which starts `program` with these arguments.
    ///
    /// # Errors
    /// When the program does not open a window that can be driven.
    pub async fn open(&self, program: &Path, arguments: &[String]) -> Result<Client> {
        let options = json!({ "binary": program, "args": arguments });
        let capabilities = [("webkitgtk:browserOptions".to_owned(), options)];
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.into_iter().collect());
        let address = format!("http://127.0.0.1:{}", self.port);
        wait_for("the driver listens", async || {
            Ok(tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.map(Some)?)
        })
        .await?;
        builder.connect(&address).await.with_context(|| format!("{} opened no window", program.display()))
    }

    /// The process id of the program under test; `None` when it is gone.
    #[must_use]
    pub fn program_id(&self) -> Option<u32> {
        children_of(self.child.id()).first().copied()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let mut ids: Vec<String> = children_of(self.child.id()).iter().map(u32::to_string).collect();
        ids.push(self.child.id().to_string());
        // Fails only for processes that have ended, which is what is wanted.
        let _ended = Command::new("kill").arg("-KILL").args(&ids).stderr(Stdio::null()).status();
        let _reaped = self.child.wait();
    }
}

/// The processes whose parent is `parent`, as `/proc/PID/stat` has them (proc(5): the second number after the
/// program's name in parentheses).
fn children_of(parent: u32) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let mut words = after_name.split_whitespace();
        words.next() != Some("Z") && words.next() == Some(parent.to_string().as_str())
    };
    ids.filter(is_child).collect()
}
