//! What is saved is there again.

use cachescope_model::deployment::{Environment, TlsFiles};
use cachescope_store::Store;

use crate::{deployment, names};

#[tokio::test]
async fn deployments_come_back_whole_and_in_the_order_they_were_added() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut first = deployment("orders");
    first.environment = Some(Environment::Staging);
    first.prometheus_url = Some("https://prometheus:9090/base".to_owned());
    first.metrics_urls = vec!["http://a/metrics".to_owned(), "http://b/metrics".to_owned()];
    first.strategy = Some("invoice \"caching\" \u{1F4B6}.toml".to_owned());
    first.tls = TlsFiles { ca: Some("/etc/ca.pem".to_owned()), cert: None, key: None };
    let (second, third) = (deployment("sessions"), deployment("search"));
    {
        let store = Store::open(directory.path()).expect("the store opens");
        for each in [&first, &second, &third] {
            store.save_deployment(each.clone()).await.expect("it is saved");
        }
        assert_eq!(store.set_aside(), None);
    }
    let store = Store::open(directory.path()).expect("the store opens again");
    assert_eq!(store.deployments().await.expect("they can be read"), [first, second, third]);
}

#[tokio::test]
async fn saving_again_replaces_in_place_and_removing_says_whether_there_was_one() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    let (mut first, second) = (deployment("orders"), deployment("sessions"));
    store.save_deployment(first.clone()).await.expect("it is saved");
    store.save_deployment(second.clone()).await.expect("it is saved");
    first.name = "orders, renamed".to_owned();
    store.save_deployment(first.clone()).await.expect("it is saved");
    assert_eq!(names(&store).await, ["orders, renamed", "sessions"]);

    assert!(store.remove_deployment(first.id.clone()).await.expect("it is removed"));
    assert!(!store.remove_deployment(first.id.clone()).await.expect("removing again does no harm"));
    assert_eq!(names(&store).await, ["sessions"]);
    store.save_deployment(first).await.expect("it is saved");
    assert_eq!(names(&store).await, ["sessions", "orders, renamed"], "what is added again comes last");
}

#[tokio::test]
async fn settings_are_kept_by_key() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    {
        let store = Store::open(directory.path()).expect("the store opens");
        assert_eq!(store.setting("theme").await.expect("it can be read"), None);
        store.set_setting("theme", "dark").await.expect("it is saved");
        store.set_setting("theme", "light").await.expect("it is saved");
        store.set_setting("", "'; DROP TABLE settings; --").await.expect("any text is only text");
    }
    let store = Store::open(directory.path()).expect("the store opens again");
    assert_eq!(store.setting("theme").await.expect("it can be read").as_deref(), Some("light"));
    assert_eq!(
        store.setting("").await.expect("it can be read").as_deref(),
        Some("'; DROP TABLE settings; --")
    );
}

#[tokio::test]
async fn many_tasks_share_one_store() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    // More than the queue holds.
    let saves: Vec<_> = (0..200)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.save_deployment(deployment(&number.to_string())).await })
        })
        .collect();
    for save in saves {
        save.await.expect("the task ends").expect("it is saved");
    }
    assert_eq!(names(&store).await.len(), 200);
}

#[test]
fn identities_are_random_and_of_one_form() {
    let ids: std::collections::HashSet<String> = (0..1_000).map(|_| Store::new_deployment_id().0).collect();
    assert_eq!(ids.len(), 1_000);
    assert!(ids.iter().all(|id| id.len() == 32 && id.chars().all(|digit| digit.is_ascii_hexdigit())));
}
