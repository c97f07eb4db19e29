//! Deployments that come from another program's file, and how they are told apart.

use anyhow::Result;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::window::{Options, Window};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_program_is_shown_first_and_then_added_without_its_password_in_the_page()
-> Result<()> {
    let options = RedisOptions { password: Some("hunter2".to_owned()), ..RedisOptions::default() };
    let server = RedisServer::start(options).await?;
    let (host, port) =
        server.address().rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap_or_default();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("connections.yaml");
    std::fs::write(
        &file,
        format!(
            "- name: Payments\n  type: group\n  connections:\n    - name: Ledger\n      addr: {host}\n      port: {port}\n      \
             password: hunter2\n      mark_color: '#67C23A'\n- name: Behind a bastion\n  addr: 10.1.2.3\n  ssh:\n    enable: true\n"
        ),
    )?;
    let window = Window::open(Options::default()).await?;
    window.click("[data-testid='settings-link']").await?;
    window.give_file("[data-testid='import-file']", &file).await?;
    window.wait_for("[data-testid='import-list'] [data-outcome='new']").await?;
    window.wait_for_text("[data-testid='import-list'] [data-outcome='refused']", "SSH").await?;
    window.wait_for("[data-testid='import-secrets']").await?;
    window.screenshot("import").await?;
    assert!(!window.text("body").await?.unwrap_or_default().contains("hunter2"));
    assert!(!window.visible("[data-testid='deployment-link']").await?, "nothing is added yet");

    window.click("[data-testid='import-confirm']").await?;
    window.wait_for_text("[data-testid='import-list'] [data-outcome='new']", "added").await?;
    window
        .ask(
            "document.querySelector('dialog[open]').dispatchEvent(new Event('cancel', { cancelable: true }))",
            &[],
        )
        .await?;
    window.click("[data-testid='deployment-link']").await?;
    // The password of the file opens the server.
    window.wait_for_text("[data-testid='server']", "redis").await?;
    window.wait_for_text("[data-testid='deployment-group']", "Payments").await?;
    window.screenshot("imported").await?;
    window.terminate().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_beside_the_redis_is_looked_for_on_a_click_and_what_was_tried_is_listed() -> Result<()> {
    let window = Window::open(Options::default()).await?;
    window.fill("[data-testid='first-url']", "127.0.0.1:6379").await?;
    window.click("[data-testid='first-connect']").await?;
    window.click("[data-testid='find-endpoints']").await?;
    window.wait_for_text("[data-testid='tried-endpoints']", "http://127.0.0.1:9090").await?;
    let tried = window
        .ask("return document.querySelectorAll(\"[data-testid='tried-endpoints'] li\").length", &[])
        .await?;
    assert_eq!(tried, 6);
    window.screenshot("find-endpoints").await?;

    window.fill("[data-testid='redis-url']", "8.8.8.8:6379").await?;
    window.click("[data-testid='find-endpoints']").await?;
    window.wait_for_text("[data-testid='connection-form']", "on the internet").await?;
    window.terminate().await.map(drop)
}
