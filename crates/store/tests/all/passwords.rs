//! No password reaches the disk.

use std::fs;

use cachescope_model::deployment::Deployment;
use cachescope_store::Store;

use crate::{deployment, names};

const SECRET: &str = "correct-horse-battery";

#[tokio::test]
async fn a_url_with_a_password_is_refused_and_neither_stored_nor_repeated() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    let url = |scheme: &str| format!("{scheme}://user:{SECRET}@host:1/");
    let cases: [(&str, Deployment); 3] = [
        ("Redis URL", Deployment { redis_url: Some(url("rediss")), ..deployment("orders") }),
        ("Prometheus URL", Deployment { prometheus_url: Some(url("https")), ..deployment("orders") }),
        (
            "metrics URL",
            Deployment { metrics_urls: vec!["http://a/".to_owned(), url("http")], ..deployment("orders") },
        ),
    ];
    for (field, refused) in cases {
        let error = store.save_deployment(refused).await.expect_err(field);
        assert_eq!(error.code(), "store_password_in_url");
        let sentence = error.to_string();
        assert!(sentence.contains("\"orders\"") && sentence.contains(field), "{sentence}");
        assert!(!format!("{sentence} {error:?} {store:?}").contains(SECRET), "{sentence}");
    }
    assert!(names(&store).await.is_empty());
    for file in fs::read_dir(directory.path()).expect("the directory can be read") {
        let bytes = fs::read(file.expect("the entry can be read").path()).expect("the file can be read");
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    }
}

#[tokio::test]
async fn a_refused_change_leaves_the_stored_deployment_as_it_was() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    let kept = deployment("orders");
    store.save_deployment(kept.clone()).await.expect("it is saved");
    let refused = Deployment { redis_url: Some(format!("redis://:{SECRET}@host")), ..kept.clone() };
    store.save_deployment(refused).await.expect_err("it holds a password");
    assert_eq!(store.deployments().await.expect("they can be read"), [kept]);
}
