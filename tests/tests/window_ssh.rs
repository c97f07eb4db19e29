//! The form's SSH tunnel in the real window, with a real `sshd` behind it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use cachescope_lab::servers::{
    KnownAs, LetsIn, PrometheusOptions, PrometheusServer, RedisOptions, RedisServer, SshOptions, SshServer,
};
use cachescope_tests::connection::Form;
use cachescope_tests::window::{Options, Window};

/// A Redis behind an SSH server, and the client's configuration of whoever opens the window.
struct Site {
    redis: RedisServer,
    ssh: SshServer,
    configuration: PathBuf,
}

impl Site {
    async fn new(lets_in: LetsIn, known: KnownAs) -> Result<Self> {
        let ssh = SshServer::start(SshOptions { lets_in, ..SshOptions::default() }).await?;
        let key = ssh.key();
        let configuration =
            ssh.client_configuration(known, (lets_in == LetsIn::Key).then_some(&key), None)?;
        Ok(Self { redis: RedisServer::start(RedisOptions::default()).await?, ssh, configuration })
    }

    /// A window with the form filled in.
    async fn form(&self, options: Options) -> Result<Window> {
        let mut environment = options.environment.clone();
        environment.push(("CACHESCOPE_SSH_CONFIG".to_owned(), self.configuration.display().to_string()));
        let window = Window::open(Options { environment, ..options }).await?;
        let form = Form { redis_url: &self.redis.url(), ..Form::default() };
        form.fill_from_first_start(&window).await?;
        window.click("[data-testid='ssh'] summary").await?;
        window.fill("[data-testid='ssh-server']", "lab").await?;
        Ok(window)
    }
}

/// Presses the button and waits for what the SSH server's step says.
async fn test(window: &Window, result: &str, words: &str) -> Result<String> {
    window.click("[data-testid='test']").await?;
    step(window, result, words).await
}

async fn step(window: &Window, result: &str, words: &str) -> Result<String> {
    let selector = format!("[data-testid='test-report'] li[data-result='{result}']");
    window.wait_for_text(&selector, words).await
}

#[tokio::test]
async fn an_unknown_key_is_compared_and_trusted_in_the_form_and_a_prometheus_goes_through_it_too()
-> Result<()> {
    let site = Site::new(LetsIn::Key, KnownAs::Unknown).await?;
    let known_hosts = || std::fs::read_to_string(site.configuration.with_file_name("known_hosts"));
    let prometheus = PrometheusServer::start(PrometheusOptions::default()).await?;
    let window = site.form(Options { dark: false, size: (1024, 640), ..Options::default() }).await?;
    window.fill("[data-testid='prometheus-url']", &prometheus.url()).await?;
    window.click("[data-testid='ssh-http']").await?;
    test(&window, "failed", "is not known here").await?;
    let shown = window.text("[data-testid='fingerprint']").await?.context("it is shown")?;
    assert_eq!(shown.trim(), site.ssh.fingerprint()?);
    window.screenshot("ssh-unknown-key").await?;
    // Nothing is trusted by a click alone.
    window.click("[data-testid='trust-key']").await?;
    ensure!(known_hosts()?.is_empty(), "the button wants the fingerprint to be compared first");
    window.click("[data-testid='compared']").await?;
    window.click("[data-testid='trust-key']").await?;
    step(&window, "ok", "was added to your known hosts").await?;
    window.wait_for("[data-testid='test-report'][data-usable='true']").await?;
    let all = window.text("[data-testid='test-report']").await?.context("the report")?;
    assert!(all.contains("Prometheus 2") || all.contains("Prometheus 3"), "{all}");
    window.screenshot("ssh-trusted").await?;
    assert_eq!(known_hosts()?.lines().count(), 1);
    window.click("[data-testid='save']").await?;
    window.wait_for("[data-testid='connection'][data-state='live'], [data-testid='row']").await?;
    window.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn a_changed_key_is_not_offered_to_be_trusted() -> Result<()> {
    let site = Site::new(LetsIn::Key, KnownAs::Another).await?;
    let window = site.form(Options::default()).await?;
    test(&window, "failed", "has CHANGED").await?;
    ensure!(!window.visible("[data-testid='trust']").await?, "it is not offered");
    window.screenshot("ssh-changed-key").await?;
    window.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn a_wrong_ssh_password_and_a_missing_one_are_told_apart() -> Result<()> {
    let site = Site::new(LetsIn::Asked, KnownAs::Itself).await?;
    let window = site.form(Options { dark: false, ..Options::default() }).await?;
    test(&window, "failed", "asks for a password, which was not given").await?;
    window.fill("[data-testid='ssh-secret']", "wrong-9f2").await?;
    let said = test(&window, "failed", "refuses the password").await?;
    assert!(!said.contains("wrong-9f2"), "{said}");
    window.screenshot("ssh-wrong-password").await?;
    window.fill("[data-testid='ssh-secret']", SshServer::PASSWORD).await?;
    test(&window, "ok", "it lets us in").await?;
    window.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn a_missing_ssh_is_said_to_be_missing() -> Result<()> {
    let site = Site::new(LetsIn::Key, KnownAs::Itself).await?;
    // The driver's own start wants it there.
    let alone = tempfile::tempdir()?;
    let path = std::env::var_os("PATH").context("there is a PATH")?;
    let driver = std::env::split_paths(&path).map(|place| place.join("WebKitWebDriver"));
    let driver = driver.into_iter().find(|file| file.is_file()).context("it is installed")?;
    std::os::unix::fs::symlink(driver, alone.path().join("WebKitWebDriver"))?;
    let environment = vec![("PATH".to_owned(), alone.path().display().to_string())];
    let window = site.form(Options { environment, size: (1024, 640), ..Options::default() }).await?;
    test(&window, "failed", "there is no ssh on this machine's PATH").await?;
    window.screenshot("ssh-missing").await?;
    window.terminate().await?;
    Ok(())
}
