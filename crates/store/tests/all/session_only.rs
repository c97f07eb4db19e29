//! Secrets in memory.

use cachescope_store::{Secrets, SecretsState, Store};
use secrecy::{ExposeSecret, SecretString};

#[tokio::test]
async fn secrets_in_memory_are_kept_by_deployment_and_name_until_removed() {
    let secrets = Secrets::session_only();
    let (a, b) = (Store::new_deployment_id(), Store::new_deployment_id());
    assert!(secrets.get(&a, "redis-password").await.is_none());
    for (deployment, name, value) in
        [(&a, "redis-password", "old"), (&a, "redis-password", "new"), (&a, "ca", "pem"), (&b, "ca", "other")]
    {
        let went = secrets.set(deployment, name, SecretString::from(value)).await;
        assert!(matches!(went, SecretsState::SessionOnly { .. }), "{went:?}");
    }
    let (other_task, id) = (secrets.clone(), a.clone());
    let got = tokio::spawn(async move { other_task.get(&id, "redis-password").await });
    let got = got.await.expect("the task ends").expect("clones share what is held");
    assert_eq!(got.expose_secret(), "new");

    secrets.remove(&a).await;
    assert!(secrets.get(&a, "redis-password").await.is_none());
    assert!(secrets.get(&a, "ca").await.is_none());
    assert!(secrets.get(&b, "ca").await.is_some(), "the other deployment keeps its own");
}

#[tokio::test]
async fn no_secret_appears_in_what_can_be_printed() {
    let secrets = Secrets::session_only();
    let deployment = Store::new_deployment_id();
    let went = secrets.set(&deployment, "redis-password", SecretString::from("correct-horse")).await;
    let got = secrets.get(&deployment, "redis-password").await;
    let printed = format!("{secrets:?} {secrets:#?} {went:?} {got:?} {:?}", secrets.state());
    assert!(!printed.contains("correct-horse"), "{printed}");
}

#[test]
fn the_state_travels_with_its_reason() {
    let state = Secrets::session_only().state();
    let json = serde_json::to_value(&state).expect("it can be serialised");
    assert_eq!(json["state"], "session_only");
    assert!(json["reason"].as_str().is_some_and(|reason| reason.contains("in memory only")), "{json}");
    let keychain = serde_json::to_value(SecretsState::Keychain).expect("it can be serialised");
    assert_eq!(keychain, serde_json::json!({ "state": "keychain" }));
}
